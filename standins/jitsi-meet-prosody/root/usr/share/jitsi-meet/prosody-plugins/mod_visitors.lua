-- Stand-in by labctl.  On the main VirtualHost: tells linked vnodes what happens in a conference.
-- mod_visitors_component says which vnodes are linked (events jitsi-connect-vnode and
-- jitsi-disconnect-vnode).  A vnode's MUC is <prefix>.<vnode>.meet.jitsi, hard-coded in the
-- original too.  All stanzas to vnodes come from this host or from its users, so that they use one
-- s2s link a vnode and keep their order.
-- Options: main_muc (required), muc_mapper_domain_prefix (conference).
-- Not done here: files, and private messages from the main room to a visitor.

local jid = require "prosody.util.jid";
local json = require "prosody.util.json";
local new_id = require "prosody.util.id".medium;
local st = require "prosody.util.stanza";
local util = module:require "util";

local main_muc = assert(module:get_option_string("main_muc"), "main_muc is not set");
local SUFFIX = ".meet.jitsi";

module:add_identity("component", "visitors", "visitors." .. module.host);

-- main room's address -> { [address of the vnode's MUC] = { [nick] = role of who is mirrored } }
local linked = {};

local function is_vnode_muc(host)
	return host ~= nil and host:sub(1, #util.domain_prefix + 1) == util.domain_prefix .. "."
		and host:sub(-#SUFFIX) == SUFFIX and host:sub(#util.domain_prefix + 2, -#SUFFIX - 1):find("^[^.]+$") ~= nil;
end

-- Jicofo is on the vnode with an account of its own; recorders and transcribers stay out of sight.
local function is_mirrored(occupant)
	return not util.is_focus_nick(occupant.nick) and not util.is_focus_jid(occupant.bare_jid)
		and not util.is_service(occupant.bare_jid);
end

local function vnode_room(room, vnode_muc)
	return jid.join(jid.node(room.jid), vnode_muc);
end

local function moderators(room)
	local found = st.stanza("moderators");
	for nick, occupant in room:each_occupant() do
		if occupant.role == "moderator" and is_mirrored(occupant) then
			found:tag("item", { epId = jid.resource(nick) }):up();
		end
	end
	return found;
end

local function polls(room)
	if not room.polls or #room.polls.order == 0 then return; end
	local text = json.encode({ command = "old-polls", type = "polls", polls = room.polls.order });
	return st.stanza("polls"):text(text);
end

local function send_iq(room, vnode_muc, name, with_moderators)
	local iq = st.iq({ type = "set", from = module.host, to = vnode_muc, id = new_id() })
		:tag("visitors", { xmlns = util.XMLNS_VISITORS, room = vnode_room(room, vnode_muc) })
		:tag(name, {
			password = name ~= "disconnect" and room:get_password() or nil;
			lobby = room._data.lobbyroom and "true" or "false";
			meetingId = room._data.meetingId;
			createdTimestamp = room.created_timestamp;
		});
	if with_moderators then
		iq:add_child(moderators(room));
		local found = polls(room);
		if found then iq:add_child(found); end
	end
	module:send_iq(iq):catch(function (err)
		-- A vnode's room may be gone before the main one.
		local level = name == "disconnect" and "debug" or "warn";
		module:log(level, "%s of room %s: %s answered %s", name, room.jid, vnode_muc, err);
	end);
end

local function send_presence(room, occupant, vnode_muc)
	local nicks = linked[room.jid][vnode_muc];
	local nick = jid.resource(occupant.nick);
	local present = occupant.role ~= nil;
	if not present and not nicks[nick] then return; end
	local stored = occupant:get_presence();
	local presence = present and stored and st.clone(stored) or st.presence({ type = "unavailable" });
	presence.attr.from = occupant.jid;
	presence.attr.to = jid.join(jid.node(room.jid), vnode_muc, nick);
	if present and not nicks[nick] then
		local join = st.stanza("x", { xmlns = util.XMLNS_MUC });
		local password = room:get_password();
		if password then join:tag("password"):text(password):up(); end
		presence:add_child(join);
	end
	nicks[nick] = occupant.role;
	module:send(presence);
end

-- What was said before: the vnode puts it in its own history.
local function send_history(room, vnode_muc)
	for _, entry in ipairs(room._history or {}) do
		local message = st.clone(entry.stanza);
		message:tag("addresses", { xmlns = "http://jabber.org/protocol/address" })
			:tag("address", { type = "ofrom", jid = message.attr.from }):up():up();
		message.attr.from = module.host;
		message.attr.to = vnode_room(room, vnode_muc);
		module:send(message);
	end
end

local function link(event)
	local room, vnode_muc = event.room, util.domain_prefix .. "." .. event.vnode .. SUFFIX;
	linked[room.jid] = linked[room.jid] or {};
	linked[room.jid][vnode_muc] = {};
	module:log("info", "Linking room %s with %s", room.jid, vnode_muc);
	send_iq(room, vnode_muc, "update", true);
	send_history(room, vnode_muc);
	for _, occupant in room:each_occupant() do
		if is_mirrored(occupant) then send_presence(room, occupant, vnode_muc); end
	end
	send_iq(room, vnode_muc, "connect");
end

local function unlink(room_jid, vnode_muc)
	local vnodes = linked[room_jid];
	if not (vnodes and vnodes[vnode_muc]) then return false; end
	vnodes[vnode_muc] = nil;
	if next(vnodes) == nil then linked[room_jid] = nil; end
	return true;
end

module:hook_global("jitsi-connect-vnode", function (event)
	if jid.host(event.room.jid) == main_muc then link(event); end
end);

module:hook_global("jitsi-disconnect-vnode", function (event)
	local vnode_muc = util.domain_prefix .. "." .. event.vnode .. SUFFIX;
	if unlink(event.room.jid, vnode_muc) then
		module:log("info", "Unlinking room %s from %s", event.room.jid, vnode_muc);
		send_iq(event.room, vnode_muc, "disconnect");
	end
end);

-- A vnode's room tells mirrored participants nothing but that they have left it; clients of this
-- server know nothing of that room.  When it is gone, it is no longer linked.
local function from_vnode(event)
	local stanza = event.stanza;
	local node, host = jid.split(stanza.attr.from);
	if not is_vnode_muc(host) then return; end
	local x = stanza:get_child("x", util.XMLNS_MUC_USER);
	if x and x:get_child("destroy") and unlink(jid.join(node, main_muc), host) then
		module:log("info", "Room %s is gone from %s", node, host);
	end
	return true;
end
module:hook("presence/full", from_vnode, 100);
module:hook("presence/bare", from_vnode, 100);

-- A vnode that is gone, or has lost the room, sends back what it was sent; clients did not send it.
local function bounced(event)
	local stanza = event.stanza;
	if stanza.attr.type == "error" and is_vnode_muc(jid.host(stanza.attr.from)) then return true; end
end
module:hook("message/full", bounced, 100);
module:hook("message/bare", bounced, 100);
module:hook("message/host", bounced, 100);

-- A visitor's message, cloned by its vnode: to everybody here, and to the other vnodes.
local function visitor_message(event)
	local room, stanza = event.room, st.clone(event.stanza);
	local host = jid.host(stanza.attr.from);
	if event.occupant or not is_vnode_muc(host) then return; end
	if not (linked[room.jid] and linked[room.jid][host]) then return; end
	room.message_from_vnode = host;
	stanza.attr.from = room.jid;
	stanza.attr.to = nil;
	room:broadcast_message(stanza);
	room.message_from_vnode = nil;
	return true;
end

local function relay_message(event)
	local room, stanza = event.room, event.stanza;
	local occupant = room:get_occupant_by_nick(stanza.attr.from);
	if occupant and not is_mirrored(occupant) then return; end
	for vnode_muc in pairs(linked[room.jid] or {}) do
		if vnode_muc ~= room.message_from_vnode then
			local message = st.clone(stanza);
			message.attr.from = occupant and occupant.jid or module.host;
			message.attr.to = vnode_room(room, vnode_muc);
			module:send(message);
		end
	end
end

-- A visitor's private message, wrapped by its vnode.
local function private_message(event)
	local stanza = event.stanza;
	local node, host = jid.split(stanza.attr.from);
	if stanza.attr.type == "groupchat" or stanza.attr.type == "error" or not is_vnode_muc(host) then return; end
	local room = util.get_room(jid.bare(stanza.attr.to));
	if not room or not (linked[room.jid] and linked[room.jid][host]) or node ~= jid.node(room.jid) then return; end
	for address in stanza:get_child("addresses", "http://jabber.org/protocol/address"):childtags("address") do
		local occupant = address.attr.type == "to" and room:get_occupant_by_nick(address.attr.jid);
		if occupant then
			local message = st.clone(stanza);
			message.attr.from = room.jid; -- who it was is in `ofrom`
			room:route_to_occupant(occupant, message);
		end
	end
	return true;
end

-- A vnode passes over what it knows already, such as an answer that came from there.
local function update_all(event)
	for vnode_muc in pairs(linked[event.room.jid] or {}) do
		send_iq(event.room, vnode_muc, "update", true);
	end
end
module:hook("jitsi-lobby-enabled", update_all);
module:hook("jitsi-lobby-disabled", update_all);

util.when_host(main_muc, function (muc)
	muc:hook("poll-created", update_all);
	muc:hook("answer-poll", update_all);
	muc:hook("muc-broadcast-presence", function (event)
		local room, occupant = event.room, event.occupant;
		if not linked[room.jid] or not is_mirrored(occupant) then return; end
		for vnode_muc in pairs(linked[room.jid]) do
			local before = linked[room.jid][vnode_muc][jid.resource(occupant.nick)];
			send_presence(room, occupant, vnode_muc);
			if before and occupant.role and before ~= occupant.role then
				send_iq(room, vnode_muc, "update", true);
			end
		end
	end, -10);
	muc:hook("muc-occupant-groupchat", visitor_message, 55);
	muc:hook("muc-broadcast-message", relay_message, -10);
	muc:hook("message/bare", private_message, 10);
	muc:hook("muc-config-submitted/muc#roomconfig_roomsecret", update_all, -10);
	muc:hook("muc-room-destroyed", function (event)
		local room = event.room;
		for vnode_muc in pairs(linked[room.jid] or {}) do
			send_iq(room, vnode_muc, "disconnect");
		end
		linked[room.jid] = nil;
	end);
end);
