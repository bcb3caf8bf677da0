-- Stand-in by labctl.  Announces file sharing on the main host.  Option: muc_component.
-- Not done here: lists of shared files; messages of clients are taken and dropped.

local util = module:require "util";

util.announce("file-sharing", module.host);

module:hook("message/host", function ()
	return true;
end);
