-- Stand-in by labctl: what several of these modules share.
-- Options: muc_mapper_domain_base, muc_mapper_domain_prefix (conference), recorder_prefixes,
-- transcriber_prefixes.

local jid = require "prosody.util.jid";
local json = require "prosody.util.json";
local st = require "prosody.util.stanza";

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

---- Tenants: outside room@conference.TENANT.DOMAIN, inside [TENANT]room@conference.DOMAIN ----

local tenant_start = domain_base and (domain_prefix .. ".");
local tenant_end = domain_base and ("." .. domain_base);

-- conference.TENANT.DOMAIN -> TENANT, which is one label; nil for other hosts
local function tenant_of(host)
	if not host or not domain_base or #host <= #tenant_start + #tenant_end then return; end
	if host:sub(1, #tenant_start) ~= tenant_start or host:sub(-#tenant_end) ~= tenant_end then return; end
	return host:sub(#tenant_start + 1, -#tenant_end - 1):match("^[^.]+$");
end

function M.to_internal(address)
	local node, host, resource = jid.split(address);
	local tenant = tenant_of(host);
	if not tenant then return address; end
	return jid.join(node and ("[" .. tenant .. "]" .. node), M.main_muc, resource);
end

function M.to_external(address)
	local node, host, resource = jid.split(address);
	if host ~= M.main_muc or not node then return address; end
	local tenant, room = node:match("^%[([^%]]+)%](.+)$");
	if not tenant then return address; end
	return jid.join(room, tenant_start .. tenant .. tenant_end, resource);
end

-- The room of that address on a local MUC, or nil.  Jicofo gives a tenant's as clients do.
function M.get_room(room_jid)
	room_jid = M.to_internal(room_jid);
	local host = prosody.hosts[jid.host(room_jid)];
	local muc = host and host.modules.muc;
	return muc and muc.get_room_from_jid(room_jid) or nil;
end

-- The room that a client's stream was opened for: `room` and `prefix` (the tenant) in its address.
function M.session_room(session)
	local name, tenant = session.jitsi_web_query_room, session.jitsi_web_query_prefix;
	if not name then return; end
	if tenant and tenant ~= "" and tenant ~= domain_base then name = "[" .. tenant .. "]" .. name; end
	return M.get_room(jid.join(name, M.main_muc));
end

-- The occupant with that real address, in the room or one of its breakout rooms; and which room.
function M.find_occupant(room, real_jid)
	local occupant = room:get_occupant_by_real_jid(real_jid);
	if occupant then return occupant, room; end
	for breakout_jid in pairs(room._data.breakout_rooms or {}) do
		local breakout = M.get_room(breakout_jid);
		occupant = breakout and breakout:get_occupant_by_real_jid(real_jid);
		if occupant then return occupant, breakout; end
	end
end

-- A tenant's room as clients know it: [TENANT]room@MUC is room@conference.TENANT.DOMAIN.
function M.shown(address)
	local node, host, resource = jid.split(address);
	local tenant, name = (node or ""):match("^%[([^%]]+)%](.+)$");
	if not tenant or host ~= M.main_muc then return address; end
	return jid.join(name, domain_prefix .. "." .. tenant .. "." .. domain_base, resource);
end

-- The other way round.
function M.internal(address)
	local node, host, resource = jid.split(address);
	local start, tail = domain_prefix .. ".", "." .. (domain_base or "");
	if not node or host == M.main_muc or host:sub(1, #start) ~= start or host:sub(-#tail) ~= tail then
		return address;
	end
	local tenant = host:sub(#start + 1, -#tail - 1);
	return tenant == "" and address or jid.join("[" .. tenant .. "]" .. node, M.main_muc, resource);
end

-- What components and rooms tell clients, and clients tell them: a message with JSON text.
function M.json_message(from, to, data, attr)
	local message = st.message({ from = from, to = to });
	local text = type(data) == "string" and data or json.encode(data);
	return message:tag("json-message", { xmlns = M.XMLNS_JITMEET, room = attr and attr.room, roomJid = attr and attr.roomJid })
		:text(text):up();
end

function M.send_json(to, data, attr)
	module:send(M.json_message(module.host, to, data, attr));
end

-- The JSON of a message as a table, or nil; its text, and its element.
function M.parse_json(stanza)
	local element = stanza:get_child("json-message", M.XMLNS_JITMEET) or stanza:get_child("json-message");
	local text = element and element:get_text();
	local data = text and json.decode(text);
	return type(data) == "table" and data or nil, text, element;
end

-- Everybody in a room but Jicofo.
function M.each_person(room)
	local people = {};
	for nick, occupant in room:each_occupant() do
		if not M.is_focus_nick(nick) and not M.is_focus_jid(occupant.bare_jid) then
			table.insert(people, occupant);
		end
	end
	return ipairs(people);
end

function M.display_name(occupant)
	local presence = occupant:get_presence();
	return presence and presence:get_child_text("nick", M.XMLNS_NICK);
end

-- Calls `callback(module api of that host)` once the host is there with its modules, now or later.
-- Prosody loads a host's modules on the same event; among handlers of one priority the order is any.
function M.when_host(name, callback)
	if prosody.hosts[name] then
		callback(module:context(name));
	end
	-- Also after the host has been stopped and started again.
	module:hook_global("host-activated", function (host)
		if host == name then callback(module:context(name)); end
	end, -1);
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
