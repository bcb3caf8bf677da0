-- Stand-in by labctl.  Announces room metadata on the main host, which Jicofo looks for.
-- Options: muc_component, breakout_rooms_component.
-- Not done here: metadata itself.  Jicofo then works with its defaults: no lobby, visitors allowed
-- unless it wants the flag, no limit per room.

local util = module:require "util";

util.announce("room_metadata", module.host);

module:hook("message/host", function ()
	return true;
end);
