--% requires: s2sout-pre-connect-event
-- Stand-in by labctl.  Takes the place of DNS for the servers that the option `s2sout_override`
-- names: host -> "tcp://ADDRESS:PORT" or "tls://ADDRESS:PORT".  A key "*.example.org" stands for
-- all hosts below it, "*" for every host.  Works per host it is loaded on.

local basic = require "prosody.net.resolvers.basic";
local url = require "socket.url";

local overrides = module:get_option("s2sout_override", {});

local function find_override(host)
	if overrides[host] then return overrides[host]; end
	local parent = host:match("%.(.+)$");
	while parent do
		if overrides["*." .. parent] then return overrides["*." .. parent]; end
		parent = parent:match("%.(.+)$");
	end
	return overrides["*"];
end

module:hook("s2sout-pre-connect", function (event)
	local session = event.session;
	local override = find_override(session.to_host);
	if type(override) ~= "string" then return; end
	local target = url.parse(override);
	local port = target and tonumber(target.port);
	if not (target and target.host and port) or (target.scheme ~= "tcp" and target.scheme ~= "tls") then
		module:log("error", "s2sout_override for %s is not tcp://ADDRESS:PORT: %q", session.to_host, override);
		return;
	end
	local extra = {};
	if target.scheme == "tls" then
		extra.servername = session.to_host;
		extra.sslctx = session.ssl_ctx;
	end
	event.resolver = basic.new(target.host, port, "tcp", extra);
end);
