-- Rendered by labctl for node visitors2; the next 'labctl up' replaces it.
-- Global.  Lets the names of tenants be host names: conference.TENANT.DOMAIN, where the web client
-- has put '_' for each '.' of the tenant and percent-encoded what is not ASCII.  Prosody 13 refuses
-- the addresses of such rooms, because '_' and '%' are in no host name of the DNS.  Jitsi's own
-- production takes the check out of Prosody for that; this takes it from these names only.
-- Options: muc_mapper_domain_base (without it the module does nothing), muc_mapper_domain_prefix.

module:set_global();

local jid = require "prosody.util.jid";

local base = module:get_option_string("muc_mapper_domain_base");
local prefix = module:get_option_string("muc_mapper_domain_prefix", "conference");
local CHECK = "idna_to_ascii";

local function is_tenant(host)
	local start, tail = prefix .. ".", "." .. base;
	if host:sub(1, #start) ~= start or host:sub(-#tail) ~= tail then return false; end
	return host:sub(#start + 1, -#tail - 1):find("^[%w_%%-]+$") ~= nil;
end

-- Where a function keeps the check: the number of that local of its surroundings, and the check.
local function find_check(of)
	for index = 1, math.huge do
		local name, value = debug.getupvalue(of, index);
		if name == nil then return; end
		if name == CHECK then return index, value; end
	end
end

local index, check = find_check(jid.prepped_split);

if not base then
	module:log("warn", "No 'muc_mapper_domain_base' option set, names of tenants are as usual");
elseif not index then
	module:log("warn", "This Prosody has no '%s' in util.jid: names of tenants are as it has them", CHECK);
else
	debug.setupvalue(jid.prepped_split, index, function (host)
		return check(host) or (is_tenant(host) and host) or nil;
	end);
	function module.unload()
		debug.setupvalue(jid.prepped_split, index, check);
	end
end
