-- Stand-in by labctl.  A moderator ends its conference for all with a message to this component.
-- Option: muc_component.

local util = module:require "util";

module:depends("jitsi_session");

util.announce("end_conference", module.host);

module:hook("message/host", function (event)
	local origin, stanza = event.origin, event.stanza;
	if stanza.attr.type == "error" then return; end
	if not stanza:get_child("end_conference", util.XMLNS_JITMEET) and not stanza:get_child("end_conference") then
		return false;
	end
	local room = util.session_room(origin);
	local occupant = room and room:get_occupant_by_real_jid(stanza.attr.from);
	if not occupant or occupant.role ~= "moderator" then
		module:log("warn", "%s may not end the conference %s", stanza.attr.from, origin.jitsi_web_query_room);
		return false;
	end
	room:destroy(nil, "The meeting has been terminated");
	module:log("info", "Room %s destroyed by occupant %s", room.jid, stanza.attr.from);
	return true;
end);
