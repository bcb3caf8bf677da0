-- Stand-in by labctl.  On a conference MUC: gives every room a meeting id, and lets nobody in
-- before Jicofo.  Whoever comes earlier waits in a queue (at most 500 a room).
-- On a vnode the room stays closed until the main server's `connect` arrives (mod_fmuc).
-- Also: nobody touches Jicofo with an admin's command, a message never brings a name of its own,
-- who was thrown out has lost its affiliation, and JSON messages to the room are offered to other
-- modules (event jitsi-endpoint-message-received).

local jid = require "prosody.util.jid";
local queue = require "prosody.util.queue";
local st = require "prosody.util.stanza";
local uuid = require "prosody.util.uuid".generate;
local util = module:require "util";

module:depends("jitsi_permissions");
module:depends("jitsi_session");

local main_domain = module:get_option_string("main_domain");
local MAX_WAITING = 500;
local FIELD = "muc#roominfo_meetingId";

module:hook("muc-room-pre-create", function (event)
	local room = event.room;
	if util.is_healthcheck_room(room.jid) then return; end
	room._data.meetingId = uuid();
	room.jicofo_lock = true;
end, 10);

module:hook("muc-disco#info", function (event)
	if not event.form then return; end
	table.insert(event.form, { name = FIELD, type = "text-single", label = "The meeting unique id." });
	event.formdata[FIELD] = event.room._data.meetingId or "";
end);

-- Jicofo reads it from the owner's form.
module:hook("muc-config-form", function (event)
	table.insert(event.form, {
		name = FIELD, type = "text-single", label = "The meeting unique id.",
		value = event.room._data.meetingId or "",
	});
end, 90 - 3);

-- A mirrored participant comes from the main server, and nobody on a vnode has to wait for it.
local function may_pass(room, stanza)
	local from = stanza.attr.from;
	return not room.jicofo_lock or util.is_focus_nick(stanza.attr.to)
		or util.is_focus_jid(from) or (main_domain ~= nil and jid.host(from) == main_domain);
end

module:hook("muc-occupant-pre-join", function (event)
	local room, stanza, origin = event.room, event.stanza, event.origin;
	if may_pass(room, stanza) then return; end
	room.join_queue = room.join_queue or queue.new(MAX_WAITING);
	module:log("info", "Occupant tries to join room=%s before jicofo: %s", room.jid, stanza.attr.from);
	if not room.join_queue:push({ origin = origin, stanza = st.clone(stanza) }) then
		module:log("error", "Too many wait for room %s, refusing %s", room.jid, stanza.attr.from);
		origin.send(st.error_reply(stanza, "wait", "resource-constraint", nil, room.jid));
	end
	return true;
end, 8);

-- Gave up while waiting.
module:hook("presence/full", function (event)
	if event.stanza.attr.type ~= "unavailable" then return; end
	local room = util.get_room(jid.bare(event.stanza.attr.to));
	local waiting = room and room.join_queue;
	if not waiting then return; end
	for _, item in waiting:items() do
		if item.stanza.attr.from == event.stanza.attr.from then item.gone = true; end
	end
end, 100);

local function unlock(room)
	if not room.jicofo_lock then return; end
	room.jicofo_lock = false;
	local waiting = room.join_queue;
	room.join_queue = nil;
	if not waiting then return; end
	for item in waiting:consume() do
		if not item.gone and not item.origin.destroyed then
			room:handle_normal_presence(item.origin, item.stanza);
		end
	end
end

-- mod_fmuc says when on a vnode.
module:hook("jicofo-unlock-room", function (event)
	unlock(event.room);
	return true;
end);

module:hook("muc-occupant-joined", function (event)
	if not main_domain and util.is_focus_nick(event.nick) then unlock(event.room); end
end);

---- What nobody may do to the others ----

-- A moderator has no business with Jicofo; by nick or by address.
local function protect_focus(event)
	local stanza = event.stanza;
	local room = util.get_room(jid.bare(stanza.attr.to));
	if not room then return; end
	for item in stanza.tags[1]:childtags("item") do
		if item.attr.nick == "focus" or (item.attr.jid and util.is_focus_jid(item.attr.jid)) then
			module:log("warn", "Blocking attempt of %s to modify Jicofo in room %s", stanza.attr.from, room.jid);
			event.origin.send(st.error_reply(stanza, "cancel", "not-allowed"));
			return true;
		end
	end
end
module:hook("iq-set/bare/http://jabber.org/protocol/muc#admin:query", protect_focus, 10);
module:hook("iq-set/host/http://jabber.org/protocol/muc#admin:query", protect_focus, 10);

-- Only Jicofo's own rooms have such names.
module:hook("muc-room-pre-create", function (event)
	local stanza = event.stanza;
	if not util.is_healthcheck_room(stanza.attr.to) or util.is_focus_nick(stanza.attr.to) then return; end
	event.origin.send(st.error_reply(stanza, "cancel", "service-unavailable"));
	return true;
end, 100);

-- After the MUC has checked the sender (50).
module:hook("muc-occupant-groupchat", function (event)
	event.stanza:remove_children("nick", util.XMLNS_NICK);
end, 45);

module:hook("muc-broadcast-presence", function (event)
	local x = event.x.full or event.x;
	if x:get_child_with_attr("status", nil, "code", "307") then
		event.room:set_affiliation(true, event.occupant.bare_jid, "none");
	end
end);

module:hook("message/bare", function (event)
	local stanza = event.stanza;
	if stanza.attr.type ~= "groupchat" or stanza:get_child("body") then return; end
	local room = util.get_room(stanza.attr.to);
	local occupant = room and room:get_occupant_by_real_jid(stanza.attr.from);
	local data = occupant and util.parse_json(stanza);
	if not data then return; end
	return module:fire_event("jitsi-endpoint-message-received", {
		room = room, occupant = occupant, message = data, origin = event.origin, stanza = stanza,
	});
end);
