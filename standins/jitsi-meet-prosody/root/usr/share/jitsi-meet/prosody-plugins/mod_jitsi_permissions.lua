-- Stand-in by labctl.  Tells a moderator, in its own presence, what it may do.
-- Option: jitsi_default_permissions.  Inactive on a vnode (`main_domain` is set).

local st = require "prosody.util.stanza";
local util = module:require "util";

if module:get_option_string("main_domain") then return; end

local names = module:get_option_set("jitsi_default_permissions", {
	"livestreaming", "recording", "transcription", "outbound-call", "create-polls", "send-groupchat",
	"flip", "live-translation", "live-translation-subscribe",
});

local function is_own(x)
	for status in x:childtags("status") do
		if status.attr.code == "110" then return true; end
	end
end

local function add_permissions(stanza)
	if stanza.name ~= "presence" or stanza.attr.type or util.is_focus_nick(stanza.attr.from) then return; end
	local x = stanza:get_child("x", util.XMLNS_MUC_USER);
	local item = x and x:get_child("item");
	if not item or item.attr.role ~= "moderator" or not is_own(x) then return; end
	stanza:remove_children("permissions", util.XMLNS_JITMEET);
	local permissions = st.stanza("permissions", { xmlns = util.XMLNS_JITMEET });
	for name in names do
		permissions:tag("p", { name = name, val = "true" }):up();
	end
	stanza:add_child(permissions);
end

-- The room tells each occupant about itself on a way of its own, where no event has the recipient.
module:hook("muc-room-pre-create", function (event)
	local room = event.room;
	local route = room.route_stanza;
	function room:route_stanza(stanza)
		add_permissions(stanza);
		return route(self, stanza);
	end
end);
