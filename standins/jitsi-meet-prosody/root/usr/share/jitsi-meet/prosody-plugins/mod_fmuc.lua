-- Stand-in by labctl.  On a vnode's conference MUC.  Whoever joins from this vnode is a visitor: it
-- sees the main participants, which mod_visitors mirrors here, and only Jicofo sees it.  Its
-- messages go to the main room as well, its raised hand becomes a request for promotion.  Nobody
-- comes in while the main room has a lobby.  The room goes when nobody of the main room, or no
-- visitor, is left.
-- Options: muc_mapper_domain_base and main_domain (without them the module is off),
-- muc_mapper_domain_prefix.
-- Not done here: files, transcription languages, promotion by token
-- (visitors_auto_promoted_with_token).

local jid = require "prosody.util.jid";
local json = require "prosody.util.json";
local new_id = require "prosody.util.id".medium;
local st = require "prosody.util.stanza";
local util = module:require "util";
-- Debian has it for older Lua only; without it this module silently is not there.
local inspect = require "inspect";

local local_domain = util.domain_base;
local main_domain = module:get_option_string("main_domain");
if not local_domain or not main_domain then
	module:log("warn", "Not a vnode: 'muc_mapper_domain_base' or 'main_domain' is not set");
	return;
end

local main_muc = util.domain_prefix .. "." .. main_domain;
local NO_VISITORS_GRACE = 15; -- seconds

local function is_visitor(occupant)
	return jid.host(occupant.bare_jid) == local_domain;
end

local function is_main(occupant)
	return jid.host(occupant.bare_jid) == main_domain;
end

local function count(room, predicate)
	local found = 0;
	for _, occupant in room:each_occupant() do
		if predicate(occupant) then found = found + 1; end
	end
	return found;
end

local function main_room(room)
	return jid.join(jid.node(room.jid), main_muc);
end

---- What leaves for the main server ----

-- Mirrored participants are occupants here, but their clients know nothing of this room: they get
-- only word that they have left it, which tells mod_visitors that the room is gone.
local function may_leave(stanza)
	if jid.host(stanza.attr.to) ~= main_domain then return true; end
	if stanza.name == "message" then return jid.resource(stanza.attr.to) == nil; end
	if stanza.name ~= "presence" or stanza.attr.type ~= "unavailable" then return false; end
	local x = stanza:get_child("x", util.XMLNS_MUC_USER);
	for status in x and x:childtags("status") or function () end do
		if status.attr.code == "110" then return true; end
	end
	return x ~= nil and x:get_child("destroy") ~= nil;
end

-- Visitors are no secret to Jicofo, whatever muc_room_default_presence_broadcast says.
local EVERYBODY = { none = false, visitor = true, participant = true, moderator = true };

module:hook("muc-room-pre-create", function (event)
	local room = event.room;
	local route, list, broadcast_roles = room.route_stanza, room.send_occupant_list, room.get_presence_broadcast;
	function room:route_stanza(stanza)
		if may_leave(stanza) then return route(self, stanza); end
	end
	function room:send_occupant_list(to, filter)
		if util.is_focus_jid(to) then
			self.get_presence_broadcast = function () return EVERYBODY; end
		end
		list(self, to, filter);
		self.get_presence_broadcast = broadcast_roles;
	end
end, 20);

---- Joining ----

module:hook("muc-occupant-pre-join", function (event)
	local room, occupant = event.room, event.occupant;
	if is_visitor(occupant) and room.main_lobby then
		event.origin.send(st.error_reply(event.stanza, "cancel", "not-allowed", "Visitors not allowed while lobby is on!")
			:tag("no-visitors-lobby", { xmlns = util.XMLNS_VISITORS }));
		return true;
	elseif is_visitor(occupant) then
		occupant.role = "visitor";
	elseif is_main(occupant) then
		local moderators = room.main_moderators or {};
		occupant.role = moderators[jid.resource(occupant.nick)] and "moderator" or "participant";
	end
end, 5);

-- Events have no word for who may see a presence; the broadcast itself leaves visitors out.
local function show_to_focus(event)
	local room, occupant = event.room, event.occupant;
	local focus = util.get_focus_occupant(room);
	if not focus or not is_visitor(occupant) then return; end
	local presence, x = st.clone(event.stanza), st.clone(event.x);
	room:build_item_list(occupant, x, false);
	room:route_to_occupant(focus, presence:add_child(x));
end

-- Without a time the hand is down.
local function send_request(room, occupant, time)
	local iq = st.iq({ type = "set", from = local_domain, to = "visitors." .. main_domain, id = new_id() })
		:tag("visitors", { xmlns = util.XMLNS_VISITORS, room = main_room(room) })
		:tag("promotion-request", { jid = occupant.jid, time = time }):up();
	local name = occupant:get_presence():get_child("nick", util.XMLNS_NICK);
	if name then iq:add_child(st.clone(name)); end
	module:context(local_domain):send_iq(iq):catch(function (err)
		module:log("warn", "Promotion request of %s was refused: %s", occupant.jid, err);
	end);
end

-- When the hand was raised, "0" once it is lowered again, or nil.
local function hand_of(occupant)
	local presence = occupant:get_presence();
	local raised = presence and presence:get_child_text("jitsi_participant_raisedHand");
	return raised ~= "" and raised or nil;
end

local function request_promotion(room, occupant)
	local raised = hand_of(occupant);
	if room.raised_hands[occupant.jid] == raised then return; end
	room.raised_hands[occupant.jid] = raised;
	if raised then send_request(room, occupant, raised); end
end

-- Moderators need not look after a hand of somebody who is gone.
module:hook("muc-occupant-pre-leave", function (event)
	local room, occupant = event.room, event.occupant;
	if is_visitor(occupant) and hand_of(occupant) then send_request(room, occupant); end
end, 1);

module:hook("muc-broadcast-presence", function (event)
	local room, occupant = event.room, event.occupant;
	if not is_visitor(occupant) then return; end
	show_to_focus(event);
	room.raised_hands = room.raised_hands or {};
	if occupant.role ~= nil then
		request_promotion(room, occupant);
	else
		room.raised_hands[occupant.jid] = nil;
	end
end, -10);

---- Messages ----

-- Its own presence says who it is; what the message itself says does not count.
local function sign(message, occupant)
	local name = occupant:get_presence():get_child_text("nick", util.XMLNS_NICK) or "anonymous";
	message:remove_children("nick", util.XMLNS_NICK);
	message:remove_children("display-name", util.XMLNS_DISPLAY_NAME);
	message:tag("nick", { xmlns = util.XMLNS_NICK }):text(name):up();
	return name;
end

local function to_main(room, message, name)
	local copy = st.clone(message);
	copy.attr.to = main_room(room);
	copy:tag("display-name", { xmlns = util.XMLNS_DISPLAY_NAME, source = "visitor" }):text(name):up();
	module:send(copy);
end

-- To this vnode's visitors, and not into the history: who comes later reads what was said before
-- the link, as with the original.
local function say_here(room, message)
	for _, occupant in room:each_occupant() do
		if is_visitor(occupant) then room:route_to_occupant(occupant, message); end
	end
end

-- Before the MUC refuses visitors (50).
module:hook("muc-occupant-groupchat", function (event)
	local room, occupant, stanza = event.room, event.occupant, event.stanza;
	if not occupant or not is_visitor(occupant) then return; end
	local message = st.clone(stanza);
	message.attr.from = occupant.nick;
	local name = sign(message, occupant);
	say_here(room, message);
	to_main(room, message, name);
	return true;
end, 55);

-- The stage is told by the main server.
module:hook("muc-occupant-groupchat", function (event)
	local room, occupant, stanza = event.room, event.occupant, event.stanza;
	if not occupant or not is_main(occupant) then return; end
	local message = st.clone(stanza);
	message.attr.from = occupant.nick;
	say_here(room, message);
	return true;
end, 55);

-- From the main host itself: history, and messages of other vnodes' visitors.
module:hook("muc-occupant-groupchat", function (event)
	local room, stanza = event.room, event.stanza;
	if event.occupant or stanza.attr.from ~= main_domain then return; end
	local message = st.clone(stanza);
	message.attr.from = room.jid;
	local addresses = message:get_child("addresses", "http://jabber.org/protocol/address");
	local original = addresses and addresses:get_child_with_attr("address", nil, "type", "ofrom");
	if original then
		local nick = jid.resource(original.attr.jid);
		message.attr.from = nick and (room.jid .. "/" .. nick) or room.jid;
		message:remove_children("addresses", "http://jabber.org/protocol/address");
		module:fire_event("muc-add-history", { room = room, stanza = message });
	else
		say_here(room, message);
	end
	return true;
end, 55);

module:hook("muc-private-message", function (event)
	local room, stanza, origin = event.room, event.stanza, event.origin;
	local sender = room:get_occupant_by_nick(stanza.attr.from);
	local recipient = room:get_occupant_by_nick(stanza.attr.to);
	if not sender or not recipient or not is_visitor(sender) then return; end
	if is_visitor(recipient) then
		origin.send(st.error_reply(stanza, "auth", "forbidden", "Private messaging between visitors is disabled"));
		return false;
	elseif not is_main(recipient) then
		return;
	end
	local message = st.clone(stanza);
	local name = sign(message, sender);
	message:remove_children("x", util.XMLNS_MUC_USER);
	message:tag("addresses", { xmlns = "http://jabber.org/protocol/address" })
		:tag("address", { type = "ofrom", jid = sender.nick }):up()
		:tag("address", { type = "to", jid = main_room(room) .. "/" .. jid.resource(recipient.nick) }):up():up();
	to_main(room, message, name);
	return false;
end);

-- A mirrored participant cannot be asked anything; better said than left to time out.
module:hook("iq/full", function (event)
	local stanza = event.stanza;
	if stanza.attr.type ~= "get" and stanza.attr.type ~= "set" then return; end
	local room = util.get_room(jid.bare(stanza.attr.to));
	local occupant = room and room:get_occupant_by_nick(stanza.attr.to);
	if not occupant or not is_main(occupant) then return; end
	event.origin.send(st.error_reply(stanza, "cancel", "service-unavailable"));
	return true;
end, 10);

---- The end of a room ----

local function is_alive(room)
	return util.get_room(room.jid) == room and not room.destroying;
end

local function log_end(room)
	module:log("info", "Will destroy:%s main_occupants:%d visitors:%d",
		room.jid, count(room, is_main), count(room, is_visitor));
end

local function end_now(room)
	if not is_alive(room) then return; end
	log_end(room);
	room:destroy(nil, "Conference ended.");
end

local function end_without_visitors(room)
	if room.visitors_timer then return; end
	room.visitors_timer = module:add_timer(NO_VISITORS_GRACE, function ()
		room.visitors_timer = nil;
		if not is_alive(room) or count(room, is_visitor) > 0 then return; end
		log_end(room);
		room:destroy(nil, "No visitors.");
	end);
end

module:hook("muc-occupant-left", function (event)
	local room, occupant = event.room, event.occupant;
	if room.destroying or not is_alive(room) then return; end
	if is_visitor(occupant) and count(room, is_visitor) == 0 then
		end_without_visitors(room);
	elseif is_main(occupant) and count(room, is_main) == 0 then
		end_now(room);
	end
end);

---- What the main server says ----

local function set_moderators(room, list)
	if not list then return; end
	local names = {};
	for item in list:childtags("item") do
		names[item.attr.epId] = true;
	end
	room.main_moderators = names;
	for nick, occupant in room:each_occupant() do
		local role = names[jid.resource(nick)] and "moderator" or "participant";
		if is_main(occupant) and occupant.role ~= role then
			local before = occupant.role;
			occupant.role = role;
			room:save_occupant(occupant);
			room:publicise_occupant_status(occupant, st.stanza("x", { xmlns = util.XMLNS_MUC_USER }), nil, nil, nil, before);
		end
	end
end

local function update(room, element)
	local attr = element.attr;
	room:set_password(attr.password);
	room._data.meetingId = attr.meetingId or room._data.meetingId;
	room.created_timestamp = attr.createdTimestamp or room.created_timestamp;
	room.main_lobby = attr.lobby == "true";
	set_moderators(room, element:get_child("moderators"));
	local polls = json.decode(element:get_child_text("polls") or "");
	if polls then module:fire_event("jitsi-polls-update", { room = room, polls = polls }); end
end

local actions = {};

actions.update = update;

function actions.connect(room, element)
	update(room, element);
	module:log("info", "Room %s is connected to the main server", room.jid);
	module:fire_event("jicofo-unlock-room", { room = room });
end

function actions.disconnect(room)
	end_now(room);
end

actions["promotion-response"] = function (room, element, visitors)
	local occupant = room:get_occupant_by_real_jid(element.attr.jid);
	if not occupant then return; end
	local iq = st.iq({ type = "set", from = room.jid, to = occupant.jid, id = new_id() });
	iq:add_child(visitors);
	module:send(iq);
end

-- A visitor's vote, which this vnode's polls component has counted.  It goes from this MUC, which
-- has a way to the main server; the polls component has none.
module:hook("answer-poll", function (event)
	local data = event.data;
	local room_jid = main_room(event.room);
	module:send(util.json_message(module.host, "polls." .. main_domain, {
		command = "answer-poll", type = "polls", pollId = data.pollId, answers = data.answers,
		senderId = data.senderId, senderName = data.senderName, roomJid = room_jid,
	}, { roomJid = room_jid }));
end);

module:hook("iq-set/host/jitsi:visitors:visitors", function (event)
	local origin, stanza = event.origin, event.stanza;
	if jid.host(stanza.attr.from) ~= main_domain then
		origin.send(st.error_reply(stanza, "auth", "forbidden"));
		return true;
	end
	local visitors = stanza:get_child("visitors", util.XMLNS_VISITORS);
	local room = util.get_room(visitors.attr.room);
	module:log("debug", "%s", inspect(visitors.attr));
	if not room then
		origin.send(st.error_reply(stanza, "cancel", "item-not-found"));
		return true;
	end
	origin.send(st.reply(stanza));
	for _, element in ipairs(visitors.tags) do
		if actions[element.name] then actions[element.name](room, element, visitors); end
	end
	return true;
end);
