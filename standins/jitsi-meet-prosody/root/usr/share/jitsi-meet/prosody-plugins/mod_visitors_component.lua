-- Stand-in by labctl.  The component visitors.MAIN.  Jicofo links and unlinks vnodes here (IQ get,
-- admins of this component only), vnodes ask for the promotion of visitors, and once a vnode is
-- linked nobody joins the main room directly unless promoted, or promotion is automatic.
-- Options: muc_mapper_domain_base (required), muc_mapper_domain_prefix, admins,
-- auto_allow_visitor_promotion (false), and visitors_ignore_list of the main host.
-- Not done here: visitors_queue_service and always_visitors_enabled (nothing behind them),
-- transcription languages, and moderators' answers to promotion requests.

local cache = require "prosody.util.cache";
local jid = require "prosody.util.jid";
local json = require "prosody.util.json";
local new_id = require "prosody.util.id".medium;
local st = require "prosody.util.stanza";
local uuid = require "prosody.util.uuid".generate;
local util = module:require "util";
-- Debian has these two for older Lua only; without them this component silently is not there.
local inspect = require "inspect";
local basexx = require "basexx";

assert(util.domain_base, "muc_mapper_domain_base is not set");

local auto_allow = module:get_option_boolean("auto_allow_visitor_promotion", false);
local admins = module:get_option_set("admins", {});
local ignored = module:context(util.domain_base):get_option_set("visitors_ignore_list", {});
local MAX_VNODES = 16; -- remembered per room

-- main room's address -> cache of linked vnodes; -> set of user names that may come in
local vnodes, promoted = {}, {};

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
	end
	event.origin.send(st.reply(stanza));
	prosody.events.fire_event("jitsi-" .. action.name, { room = room, vnode = action.attr.vnode });
	return true;
end);

-- To the vnode's MUC, from the main host: that is the way that has a link already.
local function send_promotion(room, vnode_muc, visitor)
	local username = uuid();
	promoted[room.jid] = promoted[room.jid] or {};
	promoted[room.jid][username] = true;
	local iq = st.iq({ type = "set", from = util.domain_base, to = vnode_muc, id = new_id() })
		:tag("visitors", {
			xmlns = util.XMLNS_VISITORS;
			room = jid.join(jid.node(room.jid), vnode_muc);
			focusjid = "focus@auth." .. util.domain_base;
		})
		:tag("promotion-response", { jid = visitor, username = username, allow = "true" });
	module:context(util.domain_base):send_iq(iq):catch(function (err)
		module:log("warn", "Promotion of %s: %s answered %s", visitor, vnode_muc, err);
	end);
end

local function tell_moderators(room, vnode, request)
	local message = json.encode({
		type = "visitors", action = "promotion-request", from = request.attr.jid,
		nick = basexx.to_base64(request.attr.jid), on = true, vnode = vnode,
	});
	for _, occupant in room:each_occupant() do
		if occupant.role == "moderator" and not util.is_focus_nick(occupant.nick) then
			module:send(st.message({ from = module.host, to = occupant.jid })
				:tag("json-message", { xmlns = util.XMLNS_JITMEET }):text(message));
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
	if auto_allow or request.attr.forcePromote == "true" then
		send_promotion(room, util.domain_prefix .. "." .. vnode .. ".meet.jitsi", request.attr.jid);
	else
		tell_moderators(room, vnode, request);
	end
	return true;
end);

local function may_join(room, address)
	local user, host = jid.split(address);
	return auto_allow or is_admin(address) or util.is_focus_jid(address) or ignored:contains(host)
		or util.is_service(jid.bare(address)) or (promoted[room.jid] or {})[user] ~= nil;
end

util.when_host(util.main_muc, function (muc)
	muc:hook("muc-occupant-pre-join", function (event)
		local room, stanza = event.room, event.stanza;
		local nodes = vnodes[room.jid];
		if not nodes or nodes:count() == 0 or may_join(room, stanza.attr.from) then return; end
		module:log("debug", "%s was not promoted for %s", stanza.attr.from, room.jid);
		local reply = st.error_reply(stanza, "cancel", "not-allowed", "Visitor needs to be allowed by a moderator");
		reply:get_child("error"):tag("promotion-not-allowed", { xmlns = util.XMLNS_VISITORS }):up();
		event.origin.send(reply);
		return true;
	end, 7);
	muc:hook("muc-room-destroyed", function (event)
		vnodes[event.room.jid] = nil;
		promoted[event.room.jid] = nil;
	end);
end);
