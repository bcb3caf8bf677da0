-- Stand-in by labctl.  Speaks with the servers of the option `s2s_whitelist` only.
-- Works per host it is loaded on: components are not guarded unless they load it themselves.

local st = require "prosody.util.stanza";

local whitelist = module:get_option_inherited_set("s2s_whitelist", {});

module:hook("route/remote", function (event)
	if whitelist:contains(event.to_host) then return; end
	local stanza = event.stanza;
	if stanza.attr.type ~= "error" and stanza.attr.type ~= "result" then
		module:log("warn", "Not sending to %s, it is not in s2s_whitelist", event.to_host);
		module:send(st.error_reply(stanza, "cancel", "not-allowed", "Communication with this domain is restricted"));
	end
	return true;
end, 100);

module:hook("s2s-stream-features", function (event)
	local session = event.origin;
	if not whitelist:contains(session.from_host) then
		session:close({
			condition = "policy-violation",
			text = "Communication with this domain is restricted",
		});
		return true;
	end
end, 1000);
