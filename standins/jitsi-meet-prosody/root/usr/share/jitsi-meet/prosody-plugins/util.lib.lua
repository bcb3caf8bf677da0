-- Stand-in by labctl: what several of these modules share.
-- Options: muc_mapper_domain_base, muc_mapper_domain_prefix (conference), recorder_prefixes,
-- transcriber_prefixes.

local jid = require "prosody.util.jid";

local M = {};

M.XMLNS_VISITORS = "jitsi:visitors";
M.XMLNS_MUC = "http://jabber.org/protocol/muc";
M.XMLNS_MUC_USER = "http://jabber.org/protocol/muc#user";
M.XMLNS_JITMEET = "http://jitsi.org/jitmeet";
M.XMLNS_NICK = "http://jabber.org/protocol/nick";
M.XMLNS_DISPLAY_NAME = "http://jitsi.org/protocol/display-name";

local domain_base = module:get_option_string("muc_mapper_domain_base");
local domain_prefix = module:get_option_string("muc_mapper_domain_prefix", "conference");
M.domain_base = domain_base;
M.domain_prefix = domain_prefix;
M.main_muc = domain_base and (domain_prefix .. "." .. domain_base);

local recorders = module:get_option_inherited_set("recorder_prefixes", { "recorder@recorder." });
local transcribers = module:get_option_inherited_set("transcriber_prefixes", { "transcriber@recorder." });

local function has_prefix(text, prefixes)
	for prefix in prefixes do
		if text:sub(1, #prefix) == prefix then return true; end
	end
	return false;
end

-- Jibri and transcribers sit in the room, and count as nobody.
function M.is_service(bare_jid)
	return has_prefix(bare_jid, recorders) or has_prefix(bare_jid, transcribers);
end

function M.is_focus_jid(address)
	return jid.node(address) == "focus";
end

-- Jicofo's occupant has the nick 'focus'.
function M.is_focus_nick(nick)
	return jid.resource(nick) == "focus";
end

function M.get_focus_occupant(room)
	return room:get_occupant_by_nick(room.jid .. "/focus");
end

-- Jicofo makes such rooms for its own health check, every 10 s.
function M.is_healthcheck_room(room_jid)
	return room_jid:sub(1, 21) == "__jicofo-health-check";
end

-- The room of that address on a local MUC, or nil.
function M.get_room(room_jid)
	local host = prosody.hosts[jid.host(room_jid)];
	local muc = host and host.modules.muc;
	return muc and muc.get_room_from_jid(room_jid) or nil;
end

-- Calls `callback(module api of that host)` once the host is there, now or later.
function M.when_host(name, callback)
	if prosody.hosts[name] then
		callback(module:context(name));
	end
	-- Also after the host has been stopped and started again.
	module:hook_global("host-activated", function (host)
		if host == name then callback(module:context(name)); end
	end);
end

-- Lets mod_features_identity announce `address` as the component of that type on the main host.
-- Kept in a table as well, because either of the two may be loaded first.
function M.announce(kind, address)
	if not domain_base then return; end
	module:shared("/*/jitsi-identities/" .. domain_base)[kind] = address;
	if prosody.hosts[domain_base] then
		module:context(domain_base):fire_event("jitsi-add-identity", { name = kind, host = address });
	end
end

return M;
