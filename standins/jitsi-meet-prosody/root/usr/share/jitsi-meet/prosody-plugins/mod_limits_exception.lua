-- Stand-in by labctl.  Lifts the limits on rate and stanza size for the accounts of the option
-- `unlimited_jids` (Jicofo, the bridges).

local jid = require "prosody.util.jid";

local unlimited = module:get_option_inherited_set("unlimited_jids", {});
local max_size = module:get_option_integer("unlimited_size", 10 * 1024 * 1024, 10000);

local function lift(session)
	session.throttle = nil;
	local stream = session.stream;
	if stream and stream.set_stanza_size_limit then
		stream:set_stanza_size_limit(max_size);
	end
	session.stanza_size_limit = max_size;
end

-- The stream is opened anew after the login, and with it comes the ordinary size limit; hence
-- also when the resource is bound.
module:hook("resource-bind", function (event)
	local session = event.session;
	if unlimited:contains(jid.join(session.username, session.host)) then
		lift(session);
	end
end, -10);
