-- Stand-in by labctl.  Audio and video moderation: a moderator says that nobody unmutes without
-- leave, and gives leave by name.  Jicofo is told like everybody, and it is Jicofo that mutes.
-- Option: muc_component.

local array = require "prosody.util.array";
local util = module:require "util";

local MEDIA = { "audio", "video", "desktop" };
local muc_component = module:get_option_string("muc_component", util.main_muc);

util.announce("av_moderation", module.host);

local function is_media(kind)
	return kind == "audio" or kind == "video" or kind == "desktop";
end

local function enabled_message(room, kind, enabled, actor)
	return {
		type = "av_moderation", enabled = enabled, mediaType = kind,
		room = util.shown(room.jid), actor = util.shown(actor),
	};
end

-- Moderators and Jicofo get the lists; the one it is about is told that it may, or no longer may.
local function tell_lists(room, kind, about, removed)
	local lists = {};
	for _, name in ipairs(MEDIA) do
		if room.av_moderation[name] and #room.av_moderation[name] > 0 then lists[name] = room.av_moderation[name]; end
	end
	local base = { type = "av_moderation", room = util.shown(room.jid), mediaType = kind, removed = removed or nil };
	for _, occupant in room:each_occupant() do
		if occupant.role == "moderator" then
			base.whitelists, base.approved = lists, nil;
			util.send_json(occupant.jid, base);
		elseif about and occupant.jid == about.jid then
			base.whitelists, base.approved = nil, not removed or nil;
			util.send_json(occupant.jid, base);
		end
	end
end

local function start(room, kind, actor)
	room.av_moderation = room.av_moderation or {};
	room.av_moderation_actors = room.av_moderation_actors or {};
	local list = array();
	for _, occupant in util.each_person(room) do
		if occupant.role == "moderator" then list:push(util.shown(occupant.nick)); end
	end
	room.av_moderation[kind] = list;
	room.av_moderation_actors[kind] = actor;
	-- Newcomers start muted; what was set before comes back with the end of moderation.
	local metadata = room.jitsiMetadata or {};
	local muted = metadata.startMuted or {};
	room.start_muted_before = room.start_muted_before or {};
	room.start_muted_before[kind] = muted[kind];
	muted[kind] = true;
	metadata.startMuted, room.jitsiMetadata = muted, metadata;
end

local function stop(room, kind)
	room.av_moderation[kind] = nil;
	room.av_moderation_actors[kind] = nil;
	local muted = room.jitsiMetadata and room.jitsiMetadata.startMuted;
	if muted then muted[kind] = (room.start_muted_before or {})[kind]; end
	if next(room.av_moderation) == nil then room.av_moderation = nil; end
end

local function switch(room, kind, on, actor)
	if on == (room.av_moderation ~= nil and room.av_moderation[kind] ~= nil) then return; end
	if on then start(room, kind, actor.nick); else stop(room, kind); end
	for _, occupant in room:each_occupant() do
		util.send_json(occupant.jid, enabled_message(room, kind, on, actor.nick));
	end
	if on then tell_lists(room, kind); end
end

local function allow(room, kind, about, actor)
	if room.av_moderation then
		room.av_moderation[kind] = room.av_moderation[kind] or array();
		room.av_moderation[kind]:push(util.shown(about.nick));
		tell_lists(room, kind, about);
		return true;
	end
	-- Nothing is moderated: a moderator asks somebody to unmute.
	util.send_json(about.jid, {
		type = "av_moderation", room = util.shown(room.jid), approved = true, mediaType = kind, from = actor.nick,
	});
	return false;
end

local function forbid(room, kind, about)
	local list = room.av_moderation and room.av_moderation[kind];
	for index, name in ipairs(list or {}) do
		if name == util.shown(about.nick) then
			table.remove(list, index);
			tell_lists(room, kind, about, true);
			break;
		end
	end
	return room.av_moderation ~= nil;
end

module:hook("message/host", function (event)
	local session, stanza = event.origin, event.stanza;
	if stanza.attr.type == "error" then return; end
	local command = stanza:get_child("av_moderation") or stanza:get_child("av_moderation", util.XMLNS_JITMEET);
	local room = util.session_room(session);
	local actor = command and room and room:get_occupant_by_real_jid(stanza.attr.from);
	if not actor or actor.role ~= "moderator" or not is_media(command.attr.mediaType) then
		module:log("warn", "%s may not moderate", stanza.attr.from);
		return false;
	end
	local kind = command.attr.mediaType;
	if command.attr.enable then
		switch(room, kind, command.attr.enable == "true", actor);
		return true;
	end
	local named = command.attr.jidToWhitelist or command.attr.jidToBlacklist;
	local about = named and room:get_occupant_by_nick(util.internal(named));
	if not about then return false; end
	if command.attr.jidToWhitelist then return allow(room, kind, about, actor); end
	return forbid(room, kind, about);
end);

util.when_host(muc_component, function (muc)
	muc:hook("muc-occupant-joined", function (event)
		local room, occupant = event.room, event.occupant;
		if not room.av_moderation or util.is_focus_nick(occupant.nick) then return; end
		for _, kind in ipairs(MEDIA) do
			if room.av_moderation[kind] then
				util.send_json(occupant.jid, enabled_message(room, kind, true, room.av_moderation_actors[kind]));
				if occupant.role == "moderator" then tell_lists(room, kind); end
			end
		end
	end, -2);
	muc:hook("muc-set-affiliation", function (event)
		local room = event.room;
		if not room.av_moderation or event.affiliation ~= "owner" or util.is_focus_jid(event.jid) then return; end
		for _, kind in ipairs(MEDIA) do
			if room.av_moderation[kind] then
				for _, occupant in util.each_person(room) do
					if occupant.bare_jid == event.jid then room.av_moderation[kind]:push(util.shown(occupant.nick)); end
				end
				if event.actor then tell_lists(room, kind); end
			end
		end
	end, -1);
end);
