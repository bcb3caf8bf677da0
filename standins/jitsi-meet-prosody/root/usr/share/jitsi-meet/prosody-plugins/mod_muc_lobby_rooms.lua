-- Stand-in by labctl.  On the main host: the lobby.  Once a moderator makes a room members-only,
-- it gets a second room on `lobby_muc` in which newcomers wait.  There they see moderators only,
-- and not each other.  A moderator lets somebody in with an invitation, and turns somebody away
-- with a kick; both are told to the room.  Visitors and a lobby do not go together: room metadata
-- tells Jicofo (`lobbyEnabled`), and mod_visitors tells the vnodes.
-- Options: lobby_muc, main_muc, muc_lobby_whitelist, muc_lobby_check_display_name_required (true).
-- Not done here: lobbies that other modules make (create-lobby-room).

local jid = require "prosody.util.jid";
local st = require "prosody.util.stanza";
local util = module:require "util";

module:depends("jitsi_session");

local lobby_muc, main_muc = module:get_option_string("lobby_muc"), module:get_option_string("main_muc");
if not lobby_muc or not main_muc then
	module:log("error", "The lobby is off: 'lobby_muc' or 'main_muc' is not configured");
	return;
end
local whitelist = module:get_option_set("muc_lobby_whitelist", {});
local name_required = module:get_option_boolean("muc_lobby_check_display_name_required", true);
local TYPE = "lobbyrooms";

module:add_identity("component", TYPE, lobby_muc);

local function main_room_of(lobby)
	return lobby.main_room_jid and util.get_room(lobby.main_room_jid);
end

local function notify(room, actor, event, value, name)
	local occupant = actor and room:get_occupant_by_real_jid(actor);
	if not occupant then return; end
	local message = util.json_message(occupant.nick, nil, { type = "lobby-notify", event = event, value = value, name = name });
	message.attr.type = "groupchat";
	room:broadcast_message(message);
end

local function set_metadata(room, enabled)
	room.jitsiMetadata = room.jitsiMetadata or {};
	room.jitsiMetadata.lobbyEnabled = enabled;
	module:context(main_muc):fire_event("room-metadata-changed", { room = room });
end

---- Who sees whom in a lobby ----

local function is_owner(lobby, address)
	return lobby:get_affiliation(address) == "owner";
end

local function sender_is_owner(lobby, nick)
	local occupant = lobby:get_occupant_by_nick(nick);
	return occupant and is_owner(lobby, occupant.bare_jid), occupant ~= nil;
end

local function is_visible(lobby, stanza)
	local from_owner, known = sender_is_owner(lobby, stanza.attr.from);
	local to_owner = is_owner(lobby, stanza.attr.to);
	if stanza.name == "message" then return known and (to_owner or from_owner); end
	if stanza.name ~= "presence" then return true; end
	local x = stanza:get_child("x", util.XMLNS_MUC_USER);
	if not x or stanza.attr.type or x:get_child_with_attr("status", nil, "code", "110") then return true; end
	return to_owner and not from_owner;
end

---- A room and its lobby ----

local function open_lobby(room, actor)
	local muc = prosody.hosts[lobby_muc].modules.muc;
	local address = jid.join(jid.node(room.jid), lobby_muc);
	if muc.get_room_from_jid(address) then return false; end
	local lobby = muc.create_room(address);
	-- It stays when the moderators leave it.
	lobby:set_persistent(true);
	lobby.main_room_jid = room.jid;
	local route = lobby.route_stanza;
	function lobby:route_stanza(stanza)
		if is_visible(self, stanza) then return route(self, stanza); end
	end
	room._data.lobbyroom = address;
	room:save(true);
	module:log("info", "Lobby room jid = %s created from:%s", address, actor);
	return true;
end

local function close_lobby(room, new_jid)
	local lobby = util.get_room(room._data.lobbyroom);
	room._data.lobbyroom = nil;
	if not lobby then return; end
	lobby:set_persistent(false);
	lobby:destroy(new_jid, "Lobby room closed.");
	module:log("info", "Lobby room destroyed %s", lobby.jid);
	set_metadata(room, false);
end

local function may_pass(room, stanza, password)
	local from = stanza.attr.from;
	return whitelist:contains(jid.host(from)) or whitelist:contains(jid.bare(from))
		or (password ~= nil and password == room:get_password());
end

-- Tells where to wait instead of only that members are let in (-5).
local function ask_to_wait(event)
	local room, stanza, occupant = event.room, event.stanza, event.occupant;
	local join = stanza:get_child("x", util.XMLNS_MUC);
	if not join or not room._data.lobbyroom or not room:get_members_only() then return; end
	if util.is_focus_nick(occupant.nick) or util.is_healthcheck_room(room.jid) then return; end
	local affiliation = room:get_affiliation(stanza.attr.from) or "none";
	local password = join:get_child_text("password", util.XMLNS_MUC);
	if may_pass(room, stanza, password) then
		if affiliation == "none" or affiliation == "member" then
			occupant.role = "participant";
			room:set_affiliation(true, jid.bare(stanza.attr.from), "member");
			room:save_occupant(occupant);
		end
		return;
	elseif room:get_password() and not password and affiliation ~= "none" and affiliation ~= "outcast" then
		join:tag("password", { xmlns = util.XMLNS_MUC }):text(room:get_password()):up();
	end
	local reply;
	if (stanza:get_child_text("nick", util.XMLNS_NICK) or "") == "" then
		reply = st.error_reply(stanza, "modify", "not-acceptable");
		reply:tag("displayname-required", { xmlns = util.XMLNS_JITMEET, lobby = "true" }):up();
	elseif affiliation == "none" then
		reply = st.error_reply(stanza, "auth", "registration-required");
		reply:tag("lobbyroom", { xmlns = util.XMLNS_JITMEET }):text(room._data.lobbyroom):up():up();
		reply:tag("lobbyroom"):text(room._data.lobbyroom):up(); -- older clients look here
	else
		return;
	end
	event.origin.send(reply);
	return true;
end

-- Prosody itself takes the first item of a list only; clients make all who are there members at once.
local function set_many(event)
	local origin, stanza = event.origin, event.stanza;
	local room = util.get_room(jid.bare(stanza.attr.to));
	local items = stanza.tags[1].tags;
	if not room or #items < 2 then return; end
	local failed;
	local quiet = { send = function (reply) if reply.attr.type == "error" then failed = failed or reply; end end };
	for _, item in ipairs(items) do
		local single = st.clone(stanza);
		single.tags[1]:maptags(function () return nil; end);
		single.tags[1]:add_child(st.clone(item));
		room:handle_admin_query_set_command(quiet, single);
	end
	origin.send(failed or st.reply(stanza));
	return true;
end

local function invite_many(event)
	local origin, stanza = event.origin, event.stanza;
	local room = util.get_room(jid.bare(stanza.attr.to));
	local x = stanza:get_child("x", util.XMLNS_MUC_USER);
	if not room or not x or #x.tags < 2 then return; end
	for invitation in x:childtags("invite") do
		local single = st.clone(stanza);
		single:get_child("x", util.XMLNS_MUC_USER):maptags(function () return nil; end);
		single:get_child("x", util.XMLNS_MUC_USER):add_child(st.clone(invitation));
		room:handle_mediated_invite(origin, single);
	end
	return true;
end

util.when_host(main_muc, function (muc)
	muc:hook("muc-config-submitted", function (event)
		local room, actor = event.room, event.actor;
		if util.is_focus_jid(actor) then return; end
		if event.fields["muc#roomconfig_membersonly"] then
			if not open_lobby(room, actor) then return; end
			event.status_codes["104"] = true;
			module:fire_event("jitsi-lobby-enabled", { room = room });
			notify(room, actor, "LOBBY-ENABLED", true);
			set_metadata(room, true);
		elseif room._data.lobbyroom then
			close_lobby(room, util.shown(room.jid));
			module:fire_event("jitsi-lobby-disabled", { room = room });
			notify(room, actor, "LOBBY-ENABLED", false);
		end
	end);
	muc:hook("muc-room-destroyed", function (event)
		if event.room._data.lobbyroom then close_lobby(event.room); end
	end, 1);
	muc:hook("muc-disco#info", function (event)
		local room = event.room;
		if not event.form or not room._data.lobbyroom or not room:get_members_only() then return; end
		table.insert(event.form, { name = "muc#roominfo_lobbyroom", type = "text-single", label = "Lobby room jid" });
		event.formdata["muc#roominfo_lobbyroom"] = room._data.lobbyroom;
	end);
	muc:hook("muc-occupant-pre-join", ask_to_wait, -4);
	muc:hook("muc-invite", function (event)
		local room = event.room;
		local lobby = room._data.lobbyroom and util.get_room(room._data.lobbyroom);
		local occupant = lobby and lobby:get_occupant_by_real_jid(event.stanza.attr.to);
		if not occupant then return; end
		local from = event.stanza:get_child("x", util.XMLNS_MUC_USER):get_child("invite").attr.from;
		notify(room, from, "LOBBY-ACCESS-GRANTED", occupant.nick, util.display_name(occupant));
	end);
	muc:hook("iq-set/bare/http://jabber.org/protocol/muc#admin:query", set_many, 1);
	muc:hook("message/bare", invite_many, 1);
end);

util.when_host(lobby_muc, function (muc)
	muc:hook("host-disco-info-node", function (event)
		local room = event.node == TYPE and util.session_room(event.origin);
		if name_required and room and room._data.lobbyroom then
			event.reply:tag("feature", { var = "http://jitsi.org/protocol/lobbyrooms#displayname_required" }):up();
		end
		event.exists = true;
	end);
	-- Moderators of the room are moderators of its lobby.
	local room_mt = prosody.hosts[lobby_muc].modules.muc.room_mt;
	function room_mt:get_affiliation(address)
		local room = main_room_of(self);
		return room and room:get_affiliation(address) or "none";
	end
	muc:hook("muc-broadcast-presence", function (event)
		local x = event.x.full or event.x;
		local room = main_room_of(event.room);
		if not room or not x:get_child_with_attr("status", nil, "code", "307") then return; end
		notify(room, event.actor, "LOBBY-ACCESS-DENIED", event.occupant.nick, util.display_name(event.occupant));
	end);
end);
