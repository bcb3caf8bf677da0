-- Stand-in by labctl.  Announces breakout rooms on the main host.  Options: breakout_rooms_muc,
-- main_muc.  Not done here: breakout rooms; nobody can make one.

local breakout_muc = module:get_option_string("breakout_rooms_muc");
if not breakout_muc then
	module:log("warn", "Breakout rooms are off: no 'breakout_rooms_muc' configured");
	return;
end

module:add_identity("component", "breakout_rooms", breakout_muc);
