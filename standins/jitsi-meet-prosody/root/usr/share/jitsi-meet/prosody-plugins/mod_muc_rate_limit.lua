-- Stand-in by labctl.  At most `muc_rate_joins` (3) joins and `muc_rate_leaves` (5) leaves a second
-- for each room; what comes faster waits for the next second.  With joins one after another that
-- is: every sixth takes one second more.

local queue = require "prosody.util.queue";
local st = require "prosody.util.stanza";
local throttle = require "prosody.util.throttle";
local util = module:require "util";

local rates = {
	join = module:get_option_number("muc_rate_joins", 3, 1);
	leave = module:get_option_number("muc_rate_leaves", 5, 1);
};
local MAX_WAITING = 1000;

local function limiter(room, kind)
	local name = kind .. "_rate_limit";
	room[name] = room[name] or {
		throttle = throttle.create(rates[kind], 1), waiting = queue.new(MAX_WAITING),
	};
	return room[name];
end

-- The queue's next second.  A room that is gone has nobody to let in or out.
local function serve(room, limit)
	limit.timer = nil;
	if util.get_room(room.jid) ~= room then return; end
	while limit.waiting:count() > 0 and limit.throttle:poll(1) do
		local item = limit.waiting:pop();
		item.stanza.rate_limited = true;
		if item.stanza.attr.type == "unavailable" or not item.origin.destroyed then
			room:handle_normal_presence(item.origin, item.stanza);
		end
	end
	if limit.waiting:count() > 0 then
		limit.timer = module:add_timer(1, function () serve(room, limit); end);
	end
end

-- True when the presence has to wait.
local function delayed(event, kind)
	local room, stanza = event.room, event.stanza;
	if stanza.rate_limited or util.is_focus_jid(stanza.attr.from) then return; end
	local limit = limiter(room, kind);
	if limit.waiting:count() == 0 and limit.throttle:poll(1) then return; end
	if not limit.waiting:push({ origin = event.origin, stanza = st.clone(stanza) }) then
		module:log("error", "Too many presences wait in room %s", room.jid);
		return;
	end
	limit.timer = limit.timer or module:add_timer(1, function () serve(room, limit); end);
	return true;
end

module:hook("muc-occupant-pre-join", function (event) return delayed(event, "join"); end, 6);
module:hook("muc-occupant-pre-leave", function (event) return delayed(event, "leave"); end, 6);
