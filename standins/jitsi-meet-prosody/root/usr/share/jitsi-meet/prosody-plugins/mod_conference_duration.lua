-- Stand-in by labctl.  Tells clients since when a conference has been going on: the field
-- `muc#roominfo_created_timestamp` (ms since 1970) of the room's form.  On a vnode the time comes
-- from the main server (mod_fmuc).

local now = require "prosody.util.time".now;
local util = module:require "util";

local main_muc = module:get_option_string("main_muc", util.main_muc);
local is_vnode = module:get_option_string("main_domain") ~= nil;
local FIELD = "muc#roominfo_created_timestamp";

util.when_host(main_muc, function (muc)
	muc:hook("muc-room-created", function (event)
		if not is_vnode and not event.room.created_timestamp then
			event.room.created_timestamp = string.format("%d", math.floor(now() * 1000));
		end
	end);
	muc:hook("muc-disco#info", function (event)
		if not event.form then return; end
		table.insert(event.form, { name = FIELD, type = "text-single", label = "Start of the conference" });
		event.formdata[FIELD] = event.room.created_timestamp or "";
	end);
end);
