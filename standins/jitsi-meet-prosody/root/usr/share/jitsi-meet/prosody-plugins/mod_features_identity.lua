-- Stand-in by labctl.  On a client host: announces Jitsi's components as disco identities
-- (category `component`, name = address).  That is how Jicofo and clients find them.

local announced = module:shared("/*/jitsi-identities/" .. module.host);
local done = {};

local function announce(kind, address)
	if done[kind] ~= address then
		done[kind] = address;
		module:add_identity("component", kind, address);
	end
end

module:hook("jitsi-add-identity", function (event)
	announce(event.name, event.host or module.host);
end);

for kind, address in pairs(announced) do
	announce(kind, address);
end
