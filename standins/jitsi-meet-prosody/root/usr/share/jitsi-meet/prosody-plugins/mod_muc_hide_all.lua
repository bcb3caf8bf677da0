-- Stand-in by labctl.  No room of this MUC is listed to anybody, whatever its form says.

module:hook("muc-room-pre-create", function (event)
	event.room:set_hidden(true);
end, -1);

-- Takes the choice out of the form, and refuses it where it is sent all the same.
module:hook("muc-config-submitted/muc#roomconfig_publicroom", function ()
	return true;
end, 10);

module:hook("host-disco-items", function ()
	return true;
end, 100);
