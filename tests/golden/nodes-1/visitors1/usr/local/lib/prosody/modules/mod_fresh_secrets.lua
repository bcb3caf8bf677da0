-- Rendered by labctl for node visitors1; the next 'labctl up' replaces it.
-- Global.  Lets a secret be replaced while calls go on: Prosody's modules read theirs when they are
-- loaded, and a restart would end every stream.  When the configuration is read again, the modules
-- whose secret is another one by then are loaded again; nobody's session is touched.

module:set_global();

local config = require "prosody.core.configmanager";
local modulemanager = require "prosody.core.modulemanager";

-- Option -> the modules that keep its value.
local READERS = {
	external_service_secret = { "external_services" };
	app_secret = { "auth_token", "token_verification" };
};

-- What an option is on the hosts that have it, as one text.
local function value_of(option)
	local found = {};
	for host in pairs(config.getconfig()) do
		local value = config.get(host, option);
		if value ~= nil then table.insert(found, host .. "=" .. tostring(value)); end
	end
	table.sort(found);
	return table.concat(found, "\n");
end

local known = {};
for option in pairs(READERS) do known[option] = value_of(option); end

local function load_again(name)
	for host in pairs(prosody.hosts) do
		if modulemanager.is_loaded(host, name) then
			local ok, err = modulemanager.reload(host, name);
			module:log(ok and "info" or "error", "%s of %s has a new secret%s", name, host,
				ok and "" or ", which it could not read: " .. tostring(err));
		end
	end
end

module:hook_global("config-reloaded", function ()
	for option, names in pairs(READERS) do
		local value = value_of(option);
		if value ~= known[option] then
			known[option] = value;
			for _, name in ipairs(names) do load_again(name); end
		end
	end
end);
