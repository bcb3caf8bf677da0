-- Stand-in by labctl.  What authentication without accounts shares: nobody has a password, everybody
-- exists, and who comes back with `previd` in the address gets the name that a stream can be resumed
-- with (XEP-0198).

local M = {};

-- A new provider of authentication, to which a module adds `get_sasl_handler`.
function M.provider()
	local provider = {};
	function provider.test_password() return nil, "Password based auth not supported."; end
	function provider.get_password() return nil, "Password not available."; end
	function provider.set_password() return nil, "Password based auth not supported."; end
	function provider.create_user() return nil, "Account creation not supported."; end
	function provider.delete_user() return nil, "Account deletion not supported."; end
	function provider.user_exists() return true; end
	function provider.users() return next, prosody.hosts[module.host].sessions, nil; end
	return provider;
end

function M.resumable_user(previd)
	for username, user in pairs(prosody.hosts[module.host].sessions) do
		for _, session in pairs(user.sessions) do
			if session.resumption_token == previd then return username; end
		end
	end
end

return M;
