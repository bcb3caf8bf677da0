-- labctl's own, not one of Jitsi's: `prosodyctl mod_register_from_stdin USER HOST` makes an account
-- with the password of the first line of its input.  `prosodyctl register` takes the password as
-- an argument, where every user of the machine can read it, and `adduser` needs a running server.
-- An account that exists keeps its password.

local storagemanager = require "prosody.core.storagemanager";
local usermanager = require "prosody.core.usermanager";

function module.command(arg)
	local user, host = arg[1], arg[2];
	local session = host and prosody.hosts[host];
	if not user or not session then
		print("usage: prosodyctl mod_register_from_stdin USER HOST < PASSWORD");
		return 2;
	end
	if not session.users or session.users.name == "null" then
		storagemanager.initialize_host(host);
		usermanager.initialize_host(host);
	end
	if usermanager.user_exists(user, host) then return 0; end
	local password = io.read("l");
	if not password or password == "" then
		print("No password");
		return 1;
	end
	local ok, err = usermanager.create_user(user, password, host);
	if not ok then print(err); end
	return ok and 0 or 1;
end
