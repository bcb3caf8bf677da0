-- Stand-in by labctl.  The component visitors.MAIN.  Jicofo links and unlinks vnodes here (IQ get,
-- admins of this component only), vnodes ask for the promotion of visitors, and once a vnode is
-- linked nobody joins the main room directly unless promoted, or promotion is automatic.  Where it
-- is not, moderators are asked: those that are there, and whoever becomes one later.
-- Options: muc_mapper_domain_base (required), muc_mapper_domain_prefix, admins,
-- auto_allow_visitor_promotion (false), always_visitors_enabled (true), and visitors_ignore_list of
-- the main host.
-- Not done here: visitors_queue_service, transcription languages.

local cache = require "prosody.util.cache";
local jid = require "prosody.util.jid";
local new_id = require "prosody.util.id".medium;
local st = require "prosody.util.stanza";
local uuid = require "prosody.util.uuid".generate;
local util = module:require "util";
-- Debian has these two for older Lua only; without them this component silently is not there.
local inspect = require "inspect";
require "basexx";

assert(util.domain_base, "muc_mapper_domain_base is not set");

local auto_allow = module:get_option_boolean("auto_allow_visitor_promotion", false);
local always_enabled = module:get_option_boolean("always_visitors_enabled", true);
local admins = module:get_option_set("admins", {});
local ignored = module:context(util.domain_base):get_option_set("visitors_ignore_list", {});
local MAX_VNODES = 16; -- remembered per room

-- main room's address -> cache of linked vnodes; -> set of user names that may come in;
-- -> visitor's address -> { message for moderators, vnode }
local vnodes, promoted, requests = {}, {}, {};

local function is_admin(address)
	return admins:contains(jid.bare(address));
end

local function refuse(event, kind, condition, text, child)
	local reply = st.error_reply(event.stanza, kind, condition, text);
	if child then
		reply:get_child("error"):tag(child, { xmlns = util.XMLNS_VISITORS }):up();
	end
	event.origin.send(reply);
	return true;
end

module:hook("iq-get/host/jitsi:visitors:visitors", function (event)
	local stanza = event.stanza;
	if not is_admin(stanza.attr.from) then
		module:log("warn", "%s is no admin of this component: %s", stanza.attr.from, stanza);
		return refuse(event, "auth", "forbidden");
	end
	local element = stanza:get_child("visitors", util.XMLNS_VISITORS);
	local room = util.get_room(element.attr.room);
	local connect, disconnect = element:get_child("connect-vnode"), element:get_child("disconnect-vnode");
	local action = connect or disconnect;
	if not action or not action.attr.vnode then return refuse(event, "modify", "bad-request"); end
	if not room then return refuse(event, "cancel", "item-not-found"); end
	module:log("debug", "%s %s: %s", action.name, room.jid, inspect(action.attr));
	if connect then
		vnodes[room.jid] = vnodes[room.jid] or cache.new(MAX_VNODES);
		vnodes[room.jid]:set(action.attr.vnode, true);
	elseif vnodes[room.jid] then
		vnodes[room.jid]:set(action.attr.vnode, nil);
		if vnodes[room.jid]:count() == 0 then
			vnodes[room.jid], promoted[room.jid], requests[room.jid] = nil, nil, nil;
		end
	end
	event.origin.send(st.reply(stanza));
	prosody.events.fire_event("jitsi-" .. action.name, { room = room, vnode = action.attr.vnode });
	return true;
end);

-- To the vnode's MUC, from the main host: that is the way that has a link already.
local function send_promotion(room, vnode, visitor, allow)
	local vnode_muc = util.domain_prefix .. "." .. vnode .. ".meet.jitsi";
	local username = uuid();
	promoted[room.jid] = promoted[room.jid] or {};
	promoted[room.jid][username] = true;
	local iq = st.iq({ type = "set", from = util.domain_base, to = vnode_muc, id = new_id() })
		:tag("visitors", {
			xmlns = util.XMLNS_VISITORS;
			room = jid.join(jid.node(room.jid), vnode_muc);
			focusjid = "focus@auth." .. util.domain_base;
		})
		:tag("promotion-response", { jid = visitor, username = username, allow = allow and "true" or "false" });
	module:context(util.domain_base):send_iq(iq):catch(function (err)
		module:log("warn", "Promotion of %s: %s answered %s", visitor, vnode_muc, err);
	end);
end

local function ask_moderators(room, vnode, visitor, name, raised)
	local message = {
		type = "visitors", action = "promotion-request", room = util.shown(room.jid),
		from = visitor, nick = name, on = raised,
	};
	requests[room.jid] = requests[room.jid] or {};
	requests[room.jid][visitor] = { message = message, vnode = vnode };
	for _, occupant in util.each_person(room) do
		if occupant.role == "moderator" then util.send_json(occupant.jid, message); end
	end
end

local function show_requests(room, occupant)
	for _, request in pairs(requests[room.jid] or {}) do util.send_json(occupant.jid, request.message); end
end

local function decide(room, visitor, approved)
	local request = requests[room.jid] and requests[room.jid][visitor];
	if not request then return; end
	-- The visitor is told of a refusal too.
	send_promotion(room, request.vnode, visitor, approved);
end

-- To the one who is to go back to the hall, and to the other moderators.
local function demote(room, actor, target, stanza)
	local message = st.clone(stanza);
	message.attr.type, message.attr.from = "chat", module.host;
	for _, occupant in util.each_person(room) do
		if occupant.jid ~= actor.jid and (occupant.role == "moderator" or occupant.nick == target) then
			message.attr.to = occupant.jid;
			room:route_stanza(st.clone(message));
		end
	end
end

module:hook("iq-set/host/jitsi:visitors:visitors", function (event)
	local origin, stanza = event.origin, event.stanza;
	-- Vnodes only: a client of this server has no visitors to promote.
	if origin.type ~= "s2sin" and origin.type ~= "s2sout" then
		return refuse(event, "auth", "forbidden");
	end
	local element = stanza:get_child("visitors", util.XMLNS_VISITORS);
	local request = element:get_child("promotion-request");
	if not request or not request.attr.jid then return refuse(event, "modify", "bad-request"); end
	local room = util.get_room(element.attr.room);
	local vnode = jid.host(stanza.attr.from):match("^([^.]+)");
	if not room then return refuse(event, "cancel", "item-not-found", nil, "no-main-participants"); end
	if not (vnodes[room.jid] and vnodes[room.jid]:get(vnode)) then
		return refuse(event, "auth", "forbidden", nil, "promotion-not-allowed");
	end
	origin.send(st.reply(stanza));
	module:log("info", "Promotion request of %s for %s", request.attr.jid, room.jid);
	local raised = (tonumber(request.attr.time) or 0) > 0;
	if raised and (auto_allow or request.attr.forcePromote == "true") then
		send_promotion(room, vnode, request.attr.jid, true);
	else
		local name = element:get_child_text("nick", util.XMLNS_NICK);
		ask_moderators(room, vnode, request.attr.jid, name, raised);
	end
	return true;
end);

local function may_join(room, address)
	local user, host = jid.split(address);
	return auto_allow or is_admin(address) or util.is_focus_jid(address) or ignored:contains(host)
		or util.is_service(jid.bare(address)) or (promoted[room.jid] or {})[user] ~= nil;
end

local function add_field(event)
	if not event.form then return; end
	table.insert(event.form, {
		name = "muc#roominfo_visitorsEnabled", type = "boolean", label = "Whether visitors are enabled.", value = true,
	});
	if event.formdata then event.formdata["muc#roominfo_visitorsEnabled"] = true; end
end

-- Who goes back from a breakout room was in the main room before.
module:hook_global("jitsi-breakout-occupant-leaving", function (event)
	local room = event.main_room;
	if not vnodes[room.jid] then return; end
	promoted[room.jid] = promoted[room.jid] or {};
	promoted[room.jid][jid.node(event.occupant.bare_jid)] = true;
end);

util.when_host(util.main_muc, function (muc)
	if always_enabled then
		muc:hook("muc-disco#info", add_field);
		muc:hook("muc-config-form", add_field);
	end
	muc:hook("muc-occupant-joined", function (event)
		if event.occupant.role == "moderator" and not util.is_focus_nick(event.occupant.nick) then
			show_requests(event.room, event.occupant);
		end
	end);
	muc:hook("muc-set-affiliation", function (event)
		if not event.actor or event.affiliation ~= "owner" or util.is_focus_jid(event.jid) then return; end
		for _, occupant in util.each_person(event.room) do
			if occupant.bare_jid == event.jid then show_requests(event.room, occupant); end
		end
	end);
	muc:hook("jitsi-endpoint-message-received", function (event)
		local room, occupant, data = event.room, event.occupant, event.message;
		if data.type ~= "visitors" then return; end
		if data.action ~= "promotion-response" and data.action ~= "demote-request" then return; end
		if occupant.role ~= "moderator" then
			module:log("error", "%s answers for visitors of %s and is no moderator", occupant.jid, room.jid);
			return false;
		end
		if data.action == "demote-request" then
			if jid.resource(occupant.nick) ~= data.actor then return refuse(event, "cancel", "bad-request"); end
			demote(room, occupant, room.jid .. "/" .. tostring(data.id), event.stanza);
		else
			for _, visitor in ipairs(data.ids or { data.id }) do decide(room, visitor, data.approved and true or false); end
		end
		return true;
	end);
	muc:hook("muc-occupant-pre-join", function (event)
		local room, stanza = event.room, event.stanza;
		if room.jitsiMetadata then room.jitsiMetadata.visitors = room.jitsiMetadata.visitors or {}; end
		local nodes = vnodes[room.jid];
		if not nodes or nodes:count() == 0 or may_join(room, stanza.attr.from) then return; end
		module:log("debug", "%s was not promoted for %s", stanza.attr.from, room.jid);
		local reply = st.error_reply(stanza, "cancel", "not-allowed", "Visitor needs to be allowed by a moderator");
		reply:get_child("error"):tag("promotion-not-allowed", { xmlns = util.XMLNS_VISITORS }):up();
		event.origin.send(reply);
		return true;
	end, 7);
	muc:hook("muc-room-destroyed", function (event)
		vnodes[event.room.jid], promoted[event.room.jid], requests[event.room.jid] = nil, nil, nil;
	end);
end);
