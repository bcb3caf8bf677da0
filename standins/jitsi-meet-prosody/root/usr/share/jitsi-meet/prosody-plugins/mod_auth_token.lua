-- Stand-in by labctl.  SASL ANONYMOUS for whoever shows a token that the lab has signed, in the
-- parameter `token` of the address of its WebSocket or BOSH service.  Options: see tokens.lib.lua.

local new_sasl = require "prosody.util.sasl".new;
local sasl = require "prosody.util.sasl";
local uuid = require "prosody.util.uuid".generate;

local tokens = module:require "tokens".new(module);
if not tokens then return; end

module:depends("jitsi_session");

local accountless = module:require "accountless";
local provider = accountless.provider();

function provider.get_sasl_handler(session)
	return new_sasl(module.host, {
		anonymous = function (handler)
			local ok, condition, text = tokens.verify(session);
			if not ok then
				module:log("warn", "Error verifying token err:%s, reason:%s tenant:%s room:%s",
					condition, text, session.jitsi_web_query_prefix, session.jitsi_web_query_room);
				session.auth_token = nil;
				return false, condition, text;
			end
			-- Who knows of a promotion may give the promoted visitor's name.
			handler.username = prosody.events.fire_event("pre-jitsi-authentication", session)
				or session.previd and accountless.resumable_user(session.previd) or uuid();
			return true;
		end;
	});
end

module:provides("auth", provider);

-- Prosody's own mechanism has no word for why an anonymous login is refused.
sasl.registerMechanism("ANONYMOUS", { "anonymous" }, function (self)
	local ok, condition, text = self.profile.anonymous(self, uuid(), self.realm);
	if ok then
		self.username = self.username or uuid();
		return "success";
	end
	return "failure", condition, text;
end);
