-- Stand-in by labctl.  SASL ANONYMOUS for a client host.  The user name is a UUID, because clients
-- take their nick from its first eight hex digits.  A client that comes back with `previd` in its
-- address gets its old name, so that it can resume its stream (XEP-0198).
-- Not honoured, as in the original: `customusername`; only token authentication does that.

local new_sasl = require "prosody.util.sasl".new;
local uuid = require "prosody.util.uuid".generate;

module:depends("jitsi_session");

local accountless = module:require "accountless";
local provider = accountless.provider();

function provider.get_sasl_handler(session)
	return new_sasl(module.host, {
		anonymous = function (sasl)
			sasl.username = session and session.previd and accountless.resumable_user(session.previd) or uuid();
			return true;
		end;
	});
end

module:provides("auth", provider);
