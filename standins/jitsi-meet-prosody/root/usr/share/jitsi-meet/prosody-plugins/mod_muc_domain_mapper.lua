-- Stand-in by labctl.  Tenants: a client's room@conference.TENANT.DOMAIN is the room
-- [TENANT]room@conference.DOMAIN of this server; addresses are rewritten on the client's stream.
-- On a vnode, what a visitor sends to a component of the main domain is answered by the vnode's
-- own (which is not there): visitors have no way to the main server but their room.
-- Options: muc_mapper_domain_base, muc_mapper_domain_prefix.

local filters = require "prosody.util.filters";
local jid = require "prosody.util.jid";
local st = require "prosody.util.stanza";
local util = module:require "util";

local base, main_muc = util.domain_base, util.main_muc;
if not base then
	module:log("warn", "No 'muc_mapper_domain_base' option set, the domain mapper is off");
	return;
end
local main_domain = module:get_option_string("main_domain");

local start, tail = util.domain_prefix .. ".", "." .. base;

-- conference.TENANT.DOMAIN -> TENANT
local function tenant_of(host)
	if host == main_muc or host:sub(1, #start) ~= start or host:sub(-#tail) ~= tail then return; end
	local tenant = host:sub(#start + 1, -#tail - 1);
	return tenant ~= "" and tenant or nil;
end

local function to_internal(address)
	local node, host, resource = jid.split(address);
	local tenant = node and host and tenant_of(host);
	if not tenant then return address; end
	return jid.join("[" .. tenant .. "]" .. node, main_muc, resource);
end

local function to_external(address)
	local node, host, resource = jid.split(address);
	if host ~= main_muc or not node then return address; end
	local tenant, room = node:match("^%[([^%]]+)%](.+)$");
	if not tenant then return address; end
	return jid.join(room, start .. tenant .. tail, resource);
end

-- visitors.MAIN -> visitors.vN.meet.jitsi
local function own_component(host)
	local suffix = main_domain and ("." .. main_domain);
	if not suffix or host:sub(-#suffix) ~= suffix then return; end
	return host:sub(1, -#suffix - 1) .. tail;
end

local function incoming(stanza, session)
	local to = stanza.attr and stanza.attr.to;
	if not to or session.host ~= base then return stanza; end
	local component = own_component(jid.host(to));
	if component then
		local kind = stanza.attr.type;
		if kind ~= "error" and kind ~= "result" and stanza.name ~= "presence" then
			local reply = st.error_reply(stanza, "cancel", "service-unavailable");
			reply.attr.from = component;
			session.send(reply);
		end
		return nil;
	end
	stanza.attr.to = to_internal(to);
	return stanza;
end

local function outgoing(stanza, session)
	local from = stanza.attr and stanza.attr.from;
	if not from or session.host ~= base then return stanza; end
	local external = to_external(from);
	if external ~= from then
		stanza = st.clone(stanza); -- one stanza goes to many sessions
		stanza.attr.from = external;
	end
	return stanza;
end

local function add_filters(session)
	if session.type == "c2s_unauthed" or session.type == "c2s" then
		filters.add_filter(session, "stanzas/in", incoming, 100);
		filters.add_filter(session, "stanzas/out", outgoing, -100);
	end
end

filters.add_filter_hook(add_filters);

function module.unload()
	filters.remove_filter_hook(add_filters);
end
