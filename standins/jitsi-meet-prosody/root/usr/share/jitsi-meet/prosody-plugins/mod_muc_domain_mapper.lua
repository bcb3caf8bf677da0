-- Stand-in by labctl.  Tenants: room@conference.TENANT.DOMAIN of clients and of Jicofo is the room
-- [TENANT]room@conference.DOMAIN of this server.  Addresses are rewritten on the streams of clients,
-- Jicofo's among them; other servers get the inner ones, as they do of the original.
-- On a vnode, what a visitor sends to a component of the main domain is answered by the vnode's
-- own (which is not there): visitors have no way to the main server but their room.
-- Options: muc_mapper_domain_base, muc_mapper_domain_prefix.

local filters = require "prosody.util.filters";
local jid = require "prosody.util.jid";
local st = require "prosody.util.stanza";
local util = module:require "util";

local base = util.domain_base;
if not base then
	module:log("warn", "No 'muc_mapper_domain_base' option set, the domain mapper is off");
	return;
end
local main_domain = module:get_option_string("main_domain");
local tail = "." .. base;

-- visitors.MAIN -> visitors.vN.meet.jitsi
local function own_component(host)
	local suffix = main_domain and ("." .. main_domain);
	if not suffix or host:sub(-#suffix) ~= suffix then return; end
	return host:sub(1, -#suffix - 1) .. tail;
end

-- Who asks conference.TENANT.DOMAIN itself is answered from that name.
local function remember_question(session, stanza, to)
	if stanza.name == "iq" and not jid.node(to) and stanza.attr.id then
		session.tenant_questions = session.tenant_questions or {};
		session.tenant_questions[stanza.attr.id] = to;
	end
end

local function incoming(stanza, session)
	local to = stanza.attr and stanza.attr.to;
	if not to then return stanza; end
	local component = session.host == base and own_component(jid.host(to));
	if component then
		local kind = stanza.attr.type;
		if kind ~= "error" and kind ~= "result" and stanza.name ~= "presence" then
			local reply = st.error_reply(stanza, "cancel", "service-unavailable");
			reply.attr.from = component;
			session.send(reply);
		end
		return nil;
	end
	stanza.attr.to = util.to_internal(to);
	if stanza.attr.to ~= to then remember_question(session, stanza, to); end
	return stanza;
end

local function asked_name(session, stanza)
	local questions, id = session.tenant_questions, stanza.attr.id;
	if not questions or not questions[id] or stanza.name ~= "iq" then return; end
	local kind = stanza.attr.type;
	if kind ~= "result" and kind ~= "error" then return; end
	local name = questions[id];
	questions[id] = nil;
	return name;
end

local function outgoing(stanza, session)
	local from = stanza.attr and stanza.attr.from;
	if not from then return stanza; end
	local external = from == util.main_muc and asked_name(session, stanza) or util.to_external(from);
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
