-- Stand-in by labctl.  SASL ANONYMOUS for a client host.  The user name is a UUID, because clients
-- take their nick from its first eight hex digits.  A client that comes back with `previd` in its
-- address gets its old name, so that it can resume its stream (XEP-0198).
-- Not honoured, as in the original: `customusername`; only token authentication does that.

local new_sasl = require "prosody.util.sasl".new;
local uuid = require "prosody.util.uuid".generate;

module:depends("jitsi_session");

local provider = {};

function provider.test_password() return nil, "Password based auth not supported."; end
function provider.get_password() return nil, "Password not available."; end
function provider.set_password() return nil, "Password based auth not supported."; end
function provider.create_user() return nil, "Account creation not supported."; end
function provider.delete_user() return nil, "Account deletion not supported."; end
function provider.user_exists() return true; end
function provider.users() return next, prosody.hosts[module.host].sessions, nil; end

local function resumable_user(previd)
	for username, user in pairs(prosody.hosts[module.host].sessions) do
		for _, session in pairs(user.sessions) do
			if session.resumption_token == previd then return username; end
		end
	end
end

function provider.get_sasl_handler(session)
	return new_sasl(module.host, {
		anonymous = function (sasl)
			sasl.username = session and session.previd and resumable_user(session.previd) or uuid();
			return true;
		end;
	});
end

module:provides("auth", provider);
