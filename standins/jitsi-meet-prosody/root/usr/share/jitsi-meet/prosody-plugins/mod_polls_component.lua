-- Stand-in by labctl.  Announces polls on the main host, so that a client finds the component.
-- Not done here: the polls themselves; what a client sends is answered `service-unavailable`.

local util = module:require "util";

util.announce("polls", module.host);
