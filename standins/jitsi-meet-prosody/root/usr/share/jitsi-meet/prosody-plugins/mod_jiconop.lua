-- Stand-in by labctl.  Right after a client has bound its resource it gets a message with what it
-- would ask for next: the host's disco#info and its STUN/TURN services (XEP-0215).
-- Options: shard_name, region_name, release_number, lobby_muc, breakout_rooms_muc.

local st = require "prosody.util.stanza";

local ext_services = module:depends("external_services");
module:depends("features_identity");

local function announce(category, kind, option)
	local value = module:get_option_string(option);
	if value then module:add_identity(category, kind, value); end
end

announce("server", "shard", "shard_name");
announce("server", "region", "region_name");
announce("server", "release", "release_number");
announce("component", "lobbyrooms", "lobby_muc");
announce("component", "breakout_rooms", "breakout_rooms_muc");

module:hook("resource-bind", function (event)
	local session = event.session;
	local message = st.message({ type = "service-info", from = module.host, to = session.full_jid })
		:tag("query", { xmlns = "http://jabber.org/protocol/disco#info" });
	for _, identity in ipairs(module:get_host_items("identity")) do
		message:tag("identity", identity):up();
	end
	for _, feature in ipairs(module:get_host_items("feature")) do
		message:tag("feature", { var = feature }):up();
	end
	message:up();
	local services = ext_services.get_services();
	if #services > 0 then
		message:add_child(ext_services.services_xml(services, "services", "urn:xmpp:extdisco:2"));
	end
	session.send(message);
end);
