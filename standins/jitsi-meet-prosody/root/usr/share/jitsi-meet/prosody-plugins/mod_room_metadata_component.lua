-- Stand-in by labctl.  Room metadata: a table of names and values for each room, which moderators
-- change, other modules change (event room-metadata-changed on the MUC), and everybody is told of.
-- Jicofo reads its limits and the lobby from it; nobody gets its own presence before it has them.
-- Options: muc_component, breakout_rooms_component, room_metadata_blocked_keys.
-- Not done here: extdisco_occpuant_check.

local array = require "prosody.util.array";
local datetime = require "prosody.util.datetime";
local jid = require "prosody.util.jid";
local json = require "prosody.util.json";
local util = module:require "util";

local ext_services = module:depends("external_services");

local TYPE = "room_metadata";
local muc_component = module:get_option_string("muc_component", util.main_muc);
local breakout_component = module:get_option_string("breakout_rooms_component");
-- Only the server itself may say these.
local blocked = module:get_option_set("room_metadata_blocked_keys", {
	"allownersEnabled", "asyncTranscription", "audioTranslationAvailable", "audioTranslationRequests",
	"conferencePresetsServiceEnabled", "dialinEnabled", "moderators", "participants",
	"participantsSoftLimit", "services", "transcriberType", "transcription", "visitorsEnabled",
});

util.announce(TYPE, module.host);

local function copy(metadata)
	local made = {};
	for key, value in pairs(metadata or {}) do made[key] = value; end
	return made;
end

-- Jicofo is told who is a moderator or participant by name; clients are not.
local function for_focus(room)
	local metadata = copy(room.jitsiMetadata);
	metadata.moderators = array(room._data.moderators or {});
	metadata.participants = room._data.participants and array(room._data.participants) or nil;
	return metadata;
end

local function services()
	local found = array();
	for _, service in ipairs(ext_services.get_services()) do
		found:push({
			type = service.type, host = service.host, transport = service.transport,
			port = service.port and string.format("%d", service.port) or nil,
			username = service.username, password = service.password,
			expires = service.expires and datetime.datetime(service.expires) or nil,
			restricted = service.restricted and "1" or nil,
		});
	end
	return found;
end

local function tell(room, occupant, metadata)
	util.send_json(occupant.jid, { type = TYPE, metadata = metadata }, { room = util.shown(room.jid) });
end

local function broadcast(room)
	local public = copy(room.jitsiMetadata);
	for _, occupant in room:each_occupant() do
		tell(room, occupant, util.is_focus_jid(occupant.bare_jid) and for_focus(room) or public);
	end
end

local function is_own_presence(stanza)
	if stanza.name ~= "presence" or stanza.attr.type then return false; end
	local x = stanza:get_child("x", util.XMLNS_MUC_USER);
	return x ~= nil and x:get_child_with_attr("status", nil, "code", "110") ~= nil;
end

local function watch(muc)
	muc:hook("muc-room-pre-create", function (event)
		local room = event.room;
		if util.is_healthcheck_room(room.jid) then return; end
		room.jitsiMetadata = room.jitsiMetadata or {};
		room.sent_initial_metadata = {};
		-- The room tells each occupant about itself on a way of its own, without any event.
		local route = room.route_stanza;
		function room:route_stanza(stanza)
			local to = is_own_presence(stanza) and jid.bare(stanza.attr.to);
			if to and not self.sent_initial_metadata[to] then
				self.sent_initial_metadata[to] = true;
				local occupant = self:get_occupant_by_real_jid(stanza.attr.to);
				if occupant and util.is_focus_jid(to) then
					tell(self, occupant, for_focus(self));
				elseif occupant then
					local metadata = copy(self.jitsiMetadata);
					metadata.services = services();
					tell(self, occupant, metadata);
				end
			end
			return route(self, stanza);
		end
	end);
	muc:hook("muc-occupant-left", function (event)
		local sent = event.room.sent_initial_metadata;
		if sent then sent[jid.bare(event.occupant.jid)] = nil; end
	end);
	muc:hook("room-metadata-changed", function (event)
		module:log("info", "Metadata changed internally in room:%s - broadcasting data:%s",
			event.room.jid, json.encode(event.room.jitsiMetadata or {}));
		broadcast(event.room);
	end);
end

local function same(one, other)
	if type(one) ~= "table" or type(other) ~= "table" then return one == other; end
	for key, value in pairs(one) do
		if not same(value, other[key]) then return false; end
	end
	for key in pairs(other) do
		if one[key] == nil then return false; end
	end
	return true;
end

module:hook("message/host", function (event)
	local session, stanza = event.origin, event.stanza;
	if stanza.attr.type == "error" then return; end
	if not session.jitsi_web_query_room then return false; end
	local message = stanza:get_child(TYPE, util.XMLNS_JITMEET);
	local text = message and message:get_text() or "";
	if text == "" or not message.attr.room then return true; end
	local room = util.get_room(util.internal(message.attr.room));
	local occupant = room and room:get_occupant_by_real_jid(stanza.attr.from);
	if not occupant then
		module:log("warn", "No occupant %s found for %s", stanza.attr.from, message.attr.room);
		return false;
	end
	local change = json.decode(text);
	local key = type(change) == "table" and change.key or nil;
	if type(key) ~= "string" or change.data == nil or change.data == json.null then
		module:log("error", "Invalid JSON payload from %s: %s", stanza.attr.from, text);
		return false;
	end
	if occupant.role ~= "moderator" or blocked:contains(key) then
		module:log("warn", "%s may not change '%s' of %s", stanza.attr.from, key, room.jid);
		return false;
	end
	if not same(room.jitsiMetadata[key], change.data) then
		room.jitsiMetadata[key] = change.data;
		module:log("info", 'Metadata key "%s" updated by %s in room:%s', key, stanza.attr.from, room.jid);
		broadcast(room);
		module:context(muc_component):fire_event("jitsi-metadata-updated", { room = room, actor = occupant, key = key });
	end
	return true;
end);

util.when_host(muc_component, watch);
if breakout_component then util.when_host(breakout_component, watch); end
