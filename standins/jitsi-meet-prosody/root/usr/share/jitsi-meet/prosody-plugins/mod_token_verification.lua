-- Stand-in by labctl.  On a conference MUC: lets in who has a token for this room.  Not asked:
-- admins, and participants whom another server mirrors here.
-- Options: those of tokens.lib.lua on the client host; token_verification_allowlist.

local jid = require "prosody.util.jid";
local st = require "prosody.util.stanza";
local util = module:require "util";

local host = module.host:match("^[^.]+%.(.+)$");
local tokens = module:require "tokens".new(module:context(host));
if not tokens then return; end

local admins = module:get_option_inherited_set("admins", {});
local allowlist = module:get_option_set("token_verification_allowlist", {});

local function is_exempt(origin, address)
	local bare = jid.bare(address);
	return origin.type == "s2sin" or admins:contains(bare) or allowlist:contains(bare)
		or allowlist:contains(jid.host(address));
end

local function check(event)
	local origin, stanza = event.origin, event.stanza;
	if is_exempt(origin, stanza.attr.from) then return; end
	local ok, condition, text = tokens.may_enter(origin, stanza.attr.to);
	if ok then return; end
	module:log("error", "Token not allowed to join: %s err: %s reason: %s", stanza.attr.to, condition, text);
	local reply = st.error_reply(stanza, "cancel", "not-allowed", text);
	if condition then
		reply:get_child("error"):tag(condition, { xmlns = util.XMLNS_JITMEET }):up();
	end
	origin.send(reply);
	return true;
end

module:hook("muc-room-pre-create", check, 99);
module:hook("muc-occupant-pre-join", check, 99);
