-- Stand-in by labctl.  `prosodyctl mod_roster_command subscribe USER CONTACT`: USER shall see
-- CONTACT's presence.  What is not an account of this server (a component, say) is skipped on its
-- side.  Also: `unsubscribe`, and `subscribe_both`.

local jid = require "prosody.util.jid";
local rostermanager = require "prosody.core.rostermanager";
local storagemanager = require "prosody.core.storagemanager";
local usermanager = require "prosody.core.usermanager";

-- Under prosodyctl the hosts are known, and nothing of them is loaded yet.
local function is_account(address)
	local user, host = jid.split(address);
	local session = host and prosody.hosts[host];
	if not user or not session then return false; end
	if not session.users or session.users.name == "null" then
		storagemanager.initialize_host(host);
		usermanager.initialize_host(host);
	end
	return usermanager.user_exists(user, host);
end

-- subscription -> with the `to` or `from` half added or taken away
local ADD = {
	to = { none = "to", to = "to", from = "both", both = "both" };
	from = { none = "from", from = "from", to = "both", both = "both" };
};
local REMOVE = {
	to = { none = "none", to = "none", from = "from", both = "from" };
	from = { none = "none", from = "none", to = "to", both = "to" };
};

local function change(owner, contact, map)
	if not is_account(owner) then return false; end
	local user, host = jid.split(owner);
	local roster = rostermanager.load_roster(user, host);
	local item = roster[contact] or { subscription = "none", groups = {} };
	item.subscription = map[item.subscription or "none"];
	item.ask = nil;
	roster[contact] = item;
	assert(rostermanager.save_roster(user, host, roster, contact), "roster not saved");
	return true;
end

local function apply(user, contact, maps)
	local one = change(user, contact, maps.to);
	local other = change(contact, user, maps.from);
	return one or other;
end

function module.command(arg)
	local command = table.remove(arg, 1);
	local user, contact = jid.prep(arg[1]), jid.prep(arg[2]);
	local known = { subscribe = ADD, subscribe_both = ADD, unsubscribe = REMOVE };
	if not known[command] or not user or not contact then
		print("usage: prosodyctl mod_roster_command subscribe|subscribe_both|unsubscribe USER CONTACT");
		return 2;
	end
	local changed = apply(user, contact, known[command]);
	if command == "subscribe_both" then
		changed = apply(contact, user, ADD) or changed;
	end
	if not changed then
		print("Neither " .. user .. " nor " .. contact .. " is an account of this server");
		return 1;
	end
	return 0;
end
