-- Stand-in by labctl.  Speaker statistics: a client says that it speaks (as the bridge's channel
-- told it), the component sums up for how long, and tells whoever joins later.
-- Option: muc_component.
-- Not done here: face landmarks.

local jid = require "prosody.util.jid";
local now = require "prosody.util.time".now;
local util = module:require "util";

local muc_component = module:get_option_string("muc_component", util.main_muc);
local breakout_component = "breakout." .. (util.domain_base or module.host);

util.announce("speakerstats", module.host);

-- Milliseconds that somebody spoke until now.
local function spoken(one)
	return one.total + (one.since and math.floor((now() - one.since) * 1000) or 0);
end

local function set_speaking(one, speaking)
	one.total = spoken(one);
	one.since = speaking and now() or nil;
end

local function tell(room, occupant)
	local users = {};
	for address, one in pairs(room.speakers) do
		local total = spoken(one);
		if total > 0 or one.dominant or not room:get_occupant_jid(address) then
			users[one.nick] = { displayName = one.name, totalDominantSpeakerTime = total, faceLandmarks = {} };
		end
	end
	if next(users) then util.send_json(occupant.jid, { type = "speakerstats", users = users }); end
end

local function counts(room, occupant)
	return room.speakers and not util.is_focus_nick(occupant.nick) and not util.is_service(occupant.bare_jid);
end

local function watch(muc)
	muc:hook("muc-room-created", function (event)
		if not util.is_healthcheck_room(event.room.jid) then event.room.speakers = {}; end
	end, -1);
	muc:hook("muc-occupant-joined", function (event)
		local room, occupant = event.room, event.occupant;
		if not counts(room, occupant) then return; end
		tell(room, occupant);
		room.speakers[occupant.jid] = { nick = jid.resource(occupant.nick), total = 0 };
	end, -1);
	muc:hook("muc-occupant-pre-leave", function (event)
		local one = (event.room.speakers or {})[event.occupant.jid];
		if not one then return; end
		set_speaking(one, false);
		one.dominant = nil;
		one.name = util.display_name(event.occupant);
	end, -1);
end

module:hook("message/host", function (event)
	local stanza = event.stanza;
	if stanza.attr.type == "error" then return; end
	local word = stanza:get_child("speakerstats", util.XMLNS_JITMEET);
	if not word then return true; end
	local room = util.get_room(util.internal(word.attr.room or ""));
	local occupant = room and room:get_occupant_by_real_jid(stanza.attr.from);
	local speaker = occupant and room.speakers and room.speakers[occupant.jid];
	if not speaker then
		module:log("warn", "No occupant %s found for %s", stanza.attr.from, word.attr.room);
		return false;
	end
	for _, one in pairs(room.speakers) do
		if one ~= speaker and one.dominant then
			set_speaking(one, false);
			one.dominant = nil;
		end
	end
	set_speaking(speaker, word.attr.silence ~= "true");
	speaker.dominant = true;
	return true;
end);

util.when_host(muc_component, watch);
util.when_host(breakout_component, watch);
