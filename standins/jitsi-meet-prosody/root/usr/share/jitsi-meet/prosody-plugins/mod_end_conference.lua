-- Stand-in by labctl.  A moderator ends its conference for all with a message to this component.
-- Option: muc_component.

local jid = require "prosody.util.jid";
local util = module:require "util";

local muc_component = module:get_option_string("muc_component", util.main_muc);

util.announce("end_conference", module.host);

module:hook("message/host", function (event)
	local origin, stanza = event.origin, event.stanza;
	if not stanza:get_child("end_conference", util.XMLNS_JITMEET) then return; end
	local name = origin.jitsi_web_query_room;
	local room = name and util.get_room(jid.join(name, muc_component));
	local occupant = room and room:get_occupant_by_real_jid(stanza.attr.from);
	if not occupant or occupant.role ~= "moderator" then
		module:log("warn", "%s may not end the conference %s", stanza.attr.from, name);
		return true;
	end
	room:destroy(nil, "The meeting has been terminated");
	return true;
end);
