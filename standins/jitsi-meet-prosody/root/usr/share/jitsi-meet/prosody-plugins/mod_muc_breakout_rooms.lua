-- Stand-in by labctl.  On the main host: breakout rooms.  A moderator adds, renames and removes
-- rooms on `breakout_rooms_muc`, and asks people to move; everybody in the main room and in the
-- breakout rooms is told which rooms there are and who is in which, at most every 0.3 s.  Only who
-- was in the main room comes into a breakout room.  Its moderators are those of the main room.
-- Options: breakout_rooms_muc, main_muc.

local cache = require "prosody.util.cache";
local jid = require "prosody.util.jid";
local st = require "prosody.util.stanza";
local uuid = require "prosody.util.uuid".generate;
local util = module:require "util";

module:depends("jitsi_session");

local main_muc = module:get_option_string("main_muc");
if not main_muc then
	module:log("error", "Breakout rooms are off: no 'main_muc' configured");
	return;
end
local breakout_muc = module:get_option_string("breakout_rooms_muc", "breakout." .. module.host);
local TYPE = "breakout_rooms";
local PREFIX = "features/breakout-rooms/";
local UPDATE_EVERY = 0.3; -- seconds
local EMPTY_GRACE = 5; -- seconds from the last one's leave to the end of all rooms

module:add_identity("component", TYPE, breakout_muc);

local mains = {}; -- breakout room's address -> main room's
local moving = cache.new(1000); -- place in the main room -> account of the one who changes rooms

local function main_of(room_jid)
	local address = jid.host(room_jid) == main_muc and room_jid or mains[room_jid];
	return address and util.get_room(address), address;
end

local function breakouts_of(main)
	return main._data.breakout_rooms or {};
end

---- Telling everybody ----

local function people_in(room)
	local found = {};
	if not room then return found; end
	for _, occupant in util.each_person(room) do
		found[util.shown(occupant.nick)] = {
			jid = occupant.jid, role = occupant.role, displayName = util.display_name(occupant),
		};
	end
	return found;
end

local function describe(main)
	local address = util.shown(main.jid);
	local id = jid.node(address);
	local rooms = {
		[id] = { isMainRoom = true, id = id, jid = address, name = main._data.subject, participants = people_in(main) };
	};
	for breakout_jid, name in pairs(breakouts_of(main)) do
		local node = jid.node(breakout_jid);
		rooms[node] = { id = node, jid = breakout_jid, name = name, participants = people_in(util.get_room(breakout_jid)) };
	end
	return { type = TYPE, event = PREFIX .. "update", roomCounter = main._data.breakout_rooms_counter, rooms = rooms };
end

local function send(to, data)
	module:send(util.json_message(breakout_muc, to, data));
end

local function tell_soon(main)
	if main.breakout_timer then return; end
	main.breakout_timer = module:add_timer(UPDATE_EVERY, function ()
		main.breakout_timer = nil;
		if util.get_room(main.jid) ~= main then return; end
		local data = describe(main);
		local rooms = { main };
		for address in pairs(breakouts_of(main)) do table.insert(rooms, util.get_room(address)); end
		for _, room in ipairs(rooms) do
			for _, occupant in util.each_person(room) do send(occupant.jid, data); end
		end
	end);
end

---- What moderators ask for ----

local actions = {};

function actions.add(main, word)
	local address = jid.join(uuid(), breakout_muc);
	main._data.breakout_rooms = breakouts_of(main);
	main._data.breakout_rooms_counter = (main._data.breakout_rooms_counter or 0) + 1;
	main._data.breakout_rooms[address] = word.attr.subject;
	main._data.breakout_rooms_active = true;
	mains[address] = main.jid;
	-- It stays while everybody is in breakout rooms.
	main:set_persistent(true);
	main:save(true);
	tell_soon(main);
end

local function remove(main, address, reason)
	local room = util.get_room(address);
	if room then room:destroy(util.shown(main.jid), reason or "Breakout room removed."); end
	if main._data.breakout_rooms then main._data.breakout_rooms[address] = nil; end
	mains[address] = nil;
	tell_soon(main);
end

function actions.remove(main, word)
	if mains[word.attr.breakoutRoomJid] == main.jid then remove(main, word.attr.breakoutRoomJid); end
end

function actions.rename(main, word)
	local address, name = word.attr.breakoutRoomJid, word.attr.subject;
	if mains[address] ~= main.jid then return; end
	main._data.breakout_rooms[address] = name;
	local room = util.get_room(address);
	if room then room:set_subject(room.jid, name); end
	tell_soon(main);
end

actions["move-to-room"] = function (main, word)
	local target = word.attr.roomJid;
	if not breakouts_of(main)[target] and target ~= util.shown(main.jid) then return false; end
	send(word.attr.participantJid, { type = TYPE, event = PREFIX .. "move-to-room", roomJid = target });
end

local function on_message(event)
	local session, stanza = event.origin, event.stanza;
	if stanza.attr.type == "error" then return; end
	local word = stanza:get_child(TYPE) or stanza:get_child(TYPE, util.XMLNS_JITMEET);
	local main = word and util.session_room(session);
	local actor = main and util.find_occupant(main, stanza.attr.from);
	local action = word and actions[(word.attr.type or ""):sub(#PREFIX + 1)];
	if not actor or actor.role ~= "moderator" or not action then
		module:log("warn", "%s may not change breakout rooms", stanza.attr.from);
		return false;
	end
	return action(main, word) ~= false;
end

---- Coming and going ----

local function anybody(main)
	if next(people_in(main)) then return true; end
	for address in pairs(breakouts_of(main)) do
		if next(people_in(util.get_room(address))) then return true; end
	end
	return false;
end

local function on_joined(event)
	local room, occupant = event.room, event.occupant;
	local main = main_of(room.jid);
	if not main or util.is_focus_nick(occupant.nick) or util.is_healthcheck_room(room.jid) then return; end
	if main == room then event.origin.jitsi_breakout_main_jid = main.jid; end
	if not main._data.breakout_rooms_active then return; end
	if main.breakout_close_timer then
		main.breakout_close_timer:stop();
		main.breakout_close_timer = nil;
	end
	moving:set(main.jid .. "/" .. jid.resource(occupant.nick), nil);
	tell_soon(main);
end

local function on_left(event)
	local main = main_of(event.room.jid);
	if not main or not main._data.breakout_rooms_active then return; end
	if util.is_focus_nick(event.occupant.nick) then return; end
	tell_soon(main);
	if main.breakout_close_timer or anybody(main) then return; end
	main.breakout_close_timer = module:add_timer(EMPTY_GRACE, function ()
		main.breakout_close_timer = nil;
		if util.get_room(main.jid) ~= main or anybody(main) then return; end
		main:set_persistent(false);
		main:destroy(nil, "All occupants left.");
	end);
end

-- Who changes rooms says so when it leaves.
local function on_pre_leave(event)
	local main = main_of(event.room.jid);
	if not main or event.stanza:get_child_text("status") ~= "switch_room" then return; end
	moving:set(main.jid .. "/" .. jid.resource(event.occupant.nick), event.occupant.bare_jid);
	if event.room ~= main then
		prosody.events.fire_event("jitsi-breakout-occupant-leaving", { main_room = main, occupant = event.occupant });
	end
end

-- A place belongs to one account in the main room and all its breakout rooms.
local function is_taken(main, nick, account)
	local switching = moving:get(main.jid .. "/" .. nick);
	if switching and switching ~= account then return true; end
	local rooms = { main };
	for address in pairs(breakouts_of(main)) do table.insert(rooms, util.get_room(address)); end
	for _, room in ipairs(rooms) do
		local occupant = room:get_occupant_by_nick(room.jid .. "/" .. nick);
		if occupant and occupant.bare_jid ~= account then return true; end
	end
	return false;
end

local function before_join(event)
	local room, stanza, origin = event.room, event.stanza, event.origin;
	local occupant = event.dest_occupant or event.occupant;
	if util.is_focus_jid(stanza.attr.from) or util.is_healthcheck_room(room.jid) then return; end
	local main = main_of(room.jid);
	local refused;
	if not main then
		refused = "service-unavailable";
	elseif main ~= room and origin.jitsi_breakout_main_jid ~= main.jid then
		refused = "not-allowed";
	elseif is_taken(main, jid.resource(occupant.nick), jid.bare(stanza.attr.from)) then
		refused = "conflict";
	end
	if not refused then return; end
	origin.send(st.error_reply(stanza, "cancel", refused, nil, room.jid));
	return true;
end

local function watch(muc)
	muc:hook("muc-occupant-joined", on_joined);
	muc:hook("muc-occupant-left", on_left);
	muc:hook("muc-occupant-pre-leave", on_pre_leave);
	muc:hook("muc-occupant-pre-join", before_join);
	muc:hook("muc-occupant-pre-change", before_join);
end

util.when_host(main_muc, function (muc)
	watch(muc);
	muc:hook("muc-room-destroyed", function (event)
		for address in pairs(breakouts_of(event.room)) do remove(event.room, address, event.reason); end
	end, 1);
end);

local function add_fields(event)
	local main, address = main_of(event.room.jid);
	local fields = {
		{ name = "muc#roominfo_isbreakout", type = "boolean", label = "Is this a breakout room?", value = true };
		{
			name = "muc#roominfo_breakout_main_room", type = "text-single",
			label = "The main room associated with this breakout room", value = address and util.shown(address);
		};
	};
	if main and main._data.lobbyroom and event.formdata then
		table.insert(fields, {
			name = "muc#roominfo_lobbyroom", type = "text-single", label = "Lobby room jid", value = main._data.lobbyroom;
		});
	end
	for _, field in ipairs(fields) do
		table.insert(event.form, field);
		if event.formdata then event.formdata[field.name] = field.value; end
	end
end

util.when_host(breakout_muc, function (muc)
	watch(muc);
	muc:hook("host-disco-info-node", function (event)
		if event.node == TYPE and event.origin.jitsi_web_query_room then
			event.reply:tag("feature", { var = "http://jitsi.org/protocol/breakout_rooms#rename" }):up();
		end
		event.exists = true;
	end);
	muc:hook("message/host", on_message);
	-- Their names are random, and who knows one was told by the main room.
	muc:hook("muc-room-pre-create", function (event)
		local main = main_of(event.room.jid);
		if main and breakouts_of(main)[event.room.jid] ~= nil then
			event.room:set_subject(event.room.jid, breakouts_of(main)[event.room.jid]);
			return;
		end
		module:log("debug", "Invalid breakout room %s will not be created.", event.room.jid);
		event.room:destroy(main and util.shown(main.jid), "Breakout room is invalid.");
		return true;
	end);
	muc:hook("muc-disco#info", function (event) if event.form then add_fields(event); end end);
	muc:hook("muc-config-form", add_fields);
	local room_mt = prosody.hosts[breakout_muc].modules.muc.room_mt;
	function room_mt:get_affiliation(address)
		local main = main_of(self.jid);
		return main and main:get_affiliation(address) or "none";
	end
	function room_mt:get_members_only()
		local main = main_of(self.jid);
		return main ~= nil and main:get_members_only();
	end
end);
