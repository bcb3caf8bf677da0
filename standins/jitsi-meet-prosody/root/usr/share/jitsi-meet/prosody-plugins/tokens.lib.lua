-- Stand-in by labctl: JSON Web Tokens signed with HS256, for mod_auth_token and mod_token_verification.
-- Options of the client host: app_id, app_secret, allow_empty_token (false), asap_accepted_issuers
-- ({ app_id }), asap_accepted_audiences ({ "*" }), asap_require_room_claim (true).
-- Not done here: public keys (asap_key_server, cache_keys_url), `context` and its features,
-- enable_domain_verification = false, rooms as patterns.

local base64 = require "prosody.util.encodings".base64;
local hashes = require "prosody.util.hashes";
local jid = require "prosody.util.jid";
local json = require "prosody.util.json";
local util = module:require "util";

local M = {};

local function decoded(part)
	local text = part:gsub("-", "+"):gsub("_", "/");
	return base64.decode(text .. ("="):rep(-#text % 4));
end

local function claims_of(token, secret)
	local head, body, signature = token:match("^([^.]+)%.([^.]+)%.([^.]+)$");
	if not head then return nil, "Invalid token"; end
	local header, claims = json.decode(decoded(head) or ""), json.decode(decoded(body) or "");
	if type(header) ~= "table" then return nil, "Invalid header"; end
	if type(claims) ~= "table" then return nil, "Invalid body"; end
	if header.typ ~= "JWT" then return nil, "Invalid typ"; end
	if header.alg ~= "HS256" then return nil, "Invalid or incorrect alg"; end
	local expected = hashes.hmac_sha256(secret, head .. "." .. body);
	if not hashes.equals(expected, decoded(signature) or "") then return nil, "Invalid signature"; end
	return claims;
end

local function is_accepted(claim, accepted)
	return accepted:contains("*") or accepted:contains(claim);
end

local function check_times(claims)
	local now = os.time();
	if claims.exp and now >= claims.exp then
		return "Not acceptable by exp (" .. tostring(now - claims.exp) .. " sec since expired)";
	end
	if claims.nbf and now < claims.nbf then return "Not acceptable by nbf"; end
end

-- The verifier for the host of a module api; nil, and an error in the log, without its options.
function M.new(host)
	local app_id, secret = host:get_option_string("app_id"), host:get_option_string("app_secret");
	if not app_id or not secret then
		host:log("error", "'%s' must not be empty", app_id and "app_secret" or "app_id");
		return nil;
	end
	local issuers = host:get_option_set("asap_accepted_issuers", { app_id });
	local audiences = host:get_option_set("asap_accepted_audiences", { "*" });
	local room_claim = host:get_option_boolean("asap_require_room_claim", true);
	local self = { allow_empty = host:get_option_boolean("allow_empty_token", false) };

	-- true, or false with condition and text; the session then knows its room and tenant.
	function self.verify(session)
		local token = session.auth_token;
		if not token then
			if self.allow_empty then return true; end
			return false, "not-allowed", "token required";
		end
		local claims, problem = claims_of(token, secret);
		problem = problem or check_times(claims)
			or not claims.iss and "'iss' claim is missing"
			or not is_accepted(claims.iss, issuers) and "invalid 'iss' claim"
			or not claims.aud and "'aud' claim is missing"
			or not is_accepted(claims.aud, audiences) and "invalid 'aud' claim";
		if problem then return false, "not-allowed", problem; end
		if room_claim and not claims.room then return false, "not-authorized", "room claim is missing"; end
		if not claims.sub then return false, "not-authorized", "sub claim is missing"; end
		session.jitsi_meet_room, session.jitsi_meet_domain = claims.room, claims.sub;
		return true;
	end

	-- Whether the session's token is for that room (an inner address): room and tenant, or '*'.
	function self.may_enter(session, room_jid)
		if self.allow_empty and not session.auth_token then return true; end
		if not util.get_room(jid.bare(room_jid)) then
			return false, "room-does-not-exist", "Room does not exist";
		end
		local node = jid.node(room_jid);
		local tenant, room = node:match("^%[([^%]]+)%](.+)$");
		local allowed, domain = session.jitsi_meet_room, (session.jitsi_meet_domain or ""):lower();
		local is_room = allowed == "*" or (allowed and allowed:lower() == (room or node));
		local is_tenant = domain == "*" or domain == (tenant or util.domain_base);
		if is_room and is_tenant then return true; end
		return false, nil, "Room and token mismatched";
	end

	return self;
end

return M;
