-- Stand-in by labctl.  Announces speaker statistics on the main host.  Option: muc_component.
-- Not done here: counting who speaks how long; messages of clients are taken and dropped.

local util = module:require "util";

util.announce("speakerstats", module.host);

module:hook("message/host", function ()
	return true;
end);
