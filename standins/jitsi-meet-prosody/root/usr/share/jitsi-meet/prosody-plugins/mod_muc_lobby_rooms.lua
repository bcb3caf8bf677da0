-- Stand-in by labctl.  Announces the lobby on the main host.  Options: lobby_muc, main_muc.
-- Not done here: the lobby.  No room can be closed with it, as if nobody ever switched it on.

local lobby_muc = module:get_option_string("lobby_muc");
if not lobby_muc then
	module:log("warn", "The lobby is off: no 'lobby_muc' configured");
	return;
end

module:add_identity("component", "lobbyrooms", lobby_muc);
