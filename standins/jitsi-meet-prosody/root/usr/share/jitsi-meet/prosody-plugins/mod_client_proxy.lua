-- Stand-in by labctl.  A component that stands for one account (option `target_address`): stanzas to
-- it go to that account's session, with the sender's full address escaped (XEP-0106) in the
-- resource of this component's; answers go back the same way.  It finds the session by presence,
-- so the account's roster must let this component see it.

local jid = require "prosody.util.jid";
local st = require "prosody.util.stanza";

if module:get_host_type() ~= "component" then
	error("client_proxy is to be loaded as a component", 0);
end

local target_address = assert(module:get_option_string("target_address"), "target_address is not set");
local sessions = {}; -- full addresses of the target, the newest last

local function forget(address)
	for i = #sessions, 1, -1 do
		if sessions[i] == address then table.remove(sessions, i); end
	end
end

module:hook("presence/host", function (event)
	local stanza = event.stanza;
	if jid.bare(stanza.attr.from) ~= target_address then return; end
	if stanza.attr.type == nil then
		forget(stanza.attr.from);
		table.insert(sessions, stanza.attr.from);
		module:log("info", "Target %s is available", stanza.attr.from);
	elseif stanza.attr.type == "unavailable" then
		forget(stanza.attr.from);
		module:log("info", "Target %s is unavailable", stanza.attr.from);
	end
	return true;
end, 10);

local function refuse(origin, stanza, condition)
	if stanza.attr.type ~= "error" and stanza.attr.type ~= "result" then
		origin.send(st.error_reply(stanza, "cancel", condition));
	end
	return true;
end

local function to_target(event)
	local origin, stanza = event.origin, event.stanza;
	local from = stanza.attr.from;
	local target = sessions[#sessions];
	if not target then return refuse(origin, stanza, "service-unavailable"); end
	local copy = st.clone(stanza);
	copy.attr.from = jid.join(nil, module.host, jid.escape(from));
	copy.attr.to = target;
	module:send(copy);
	return true;
end

-- From the target to `component/escaped address`.
local function to_client(event)
	local stanza = event.stanza;
	local real = jid.prep(jid.unescape(jid.resource(stanza.attr.to)));
	if not real then return refuse(event.origin, stanza, "item-not-found"); end
	local copy = st.clone(stanza);
	copy.attr.from = module.host;
	copy.attr.to = real;
	module:send(copy);
	return true;
end

local function is_disco(stanza)
	local child = stanza.tags[1];
	return child and child.attr.xmlns and child.attr.xmlns:find("^http://jabber.org/protocol/disco#") ~= nil;
end

-- An address without a node counts as a host, with or without a resource.
local function route(event)
	local stanza = event.stanza;
	if jid.bare(stanza.attr.from) ~= target_address then return to_target(event); end
	if jid.resource(stanza.attr.to) then return to_client(event); end
end

module:hook("iq/host", function (event)
	if is_disco(event.stanza) then return; end -- mod_disco's
	return route(event);
end, 10);
module:hook("message/host", route, 10);

local function probe()
	module:send(st.presence({ type = "probe", from = module.host, to = target_address }));
end

-- The target's host may come after this component, and the target may be there already.
module:hook_global("server-started", probe);
if prosody.start_time then probe(); end
