-- Stand-in by labctl.  Global.  Keeps what a client says in the address of its WebSocket or BOSH
-- service, and in its HTTP headers, on its session.  Option: region_header_name (x_proxy_region).

module:set_global();

local http = require "prosody.util.http";

local region_header = module:get_option_string("region_header_name", "x_proxy_region");

local function init_session(event)
	local session, request = event.session, event.request;
	local query = request.url and request.url.query;
	if query then
		local params = http.formdecode(query);
		if type(params) == "table" then
			session.previd = params.previd;
			session.customusername = params.customusername;
			session.auth_token = params.token;
			session.jitsi_web_query_room = params.room;
			-- Of a repeated key the last one wins; nginx adds `prefix` in front.
			session.jitsi_web_query_prefix = params.prefix or "";
		end
	end
	session.user_region = request.headers[region_header];
	session.user_agent_header = request.headers.user_agent;
end

module:hook("bosh-session", init_session, 1);
module:hook("websocket-session", init_session, 1);
