-- Stand-in by labctl.  Client connections that arrive on an address of `secure_interfaces` count
-- as encrypted, and STARTTLS is not offered there.

local interfaces = module:get_option_inherited_set("secure_interfaces", { "127.0.0.1", "::1" });

-- Before mod_tls and mod_saslauth add their features.
module:hook("stream-features", function (event)
	local session = event.origin;
	if session.type ~= "c2s_unauthed" or session.secure then return; end
	local conn = session.conn;
	local address = conn and conn.serverip and conn:serverip() or nil;
	if address and interfaces:contains(address) then
		session.log("debug", "%s is a secure interface", address);
		session.secure = true;
		conn.starttls = false;
	end
end, 2500);
