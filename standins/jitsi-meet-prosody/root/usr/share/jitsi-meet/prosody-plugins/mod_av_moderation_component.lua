-- Stand-in by labctl.  Announces audio and video moderation on the main host, which clients and
-- Jicofo look for.  Option: muc_component.
-- Not done here: moderating; messages of clients are taken and dropped.

local util = module:require "util";

util.announce("av_moderation", module.host);

module:hook("message/host", function ()
	return true;
end);
