-- Stand-in by labctl.  Polls, on the main server and on vnodes.  Questions come from the main room;
-- answers from there and from visitors.  A vnode's answers go to `polls.MAIN`; the main server's
-- polls come to a vnode with mod_visitors' `update` (event jitsi-polls-update).
-- Options: muc_mapper_domain_base, main_domain (set on a vnode).

local jid = require "prosody.util.jid";
local json = require "prosody.util.json";
local st = require "prosody.util.stanza";
local util = module:require "util";

local main_domain = module:get_option_string("main_domain");
local MAX_POLLS, MAX_BYTES = 128, 1024;

util.announce("polls", module.host);

---- The polls of a room ----

local function all_polls(room)
	local found = {};
	for index, poll in ipairs(room.polls.order) do
		found[index] = {
			pollId = poll.pollId, senderId = poll.senderId, senderName = poll.senderName,
			question = poll.question, answers = poll.answers,
		};
	end
	return { command = "old-polls", type = "polls", polls = found };
end

local function tell_all(room, data)
	local text = json.encode(data);
	for _, occupant in room:each_occupant() do
		-- A vnode's other occupants are mirrored; the main server has told them.
		if not main_domain or occupant.role == "visitor" then
			room:route_stanza(util.json_message(module.host, occupant.jid, text));
		end
	end
end

local function add(room, poll)
	room.polls.by_id[poll.pollId] = poll;
	table.insert(room.polls.order, poll);
end

local function is_list_of(list, check)
	if type(list) ~= "table" or #list == 0 then return false; end
	for _, item in ipairs(list) do
		if not check(item) then return false; end
	end
	return true;
end

local function is_valid(data)
	if data.type ~= "polls" or type(data.pollId) ~= "string" then return false; end
	if data.command == "new-poll" then
		return type(data.question) == "string"
			and is_list_of(data.answers, function (item) return type(item) == "table" and type(item.name) == "string"; end);
	end
	return is_list_of(data.answers, function (item) return type(item) == "boolean"; end);
end

-- What a voter has ticked; then each answer without it.
local function take_vote(poll, voter)
	local before = {};
	for index, answer in ipairs(poll.answers) do
		local others = {};
		before[index] = false;
		for _, one in ipairs(answer.voters or {}) do
			if one.id == voter.id then before[index] = true; else table.insert(others, one); end
		end
		answer.voters = #others > 0 and others or nil;
	end
	return before;
end

local function put_vote(poll, voter, votes)
	for index, answer in ipairs(poll.answers) do
		if votes[index] then
			answer.voters = answer.voters or {};
			table.insert(answer.voters, { id = voter.id, name = voter.name });
		end
	end
end

local function same_votes(poll, one, other)
	for index in ipairs(poll.answers) do
		if (one[index] or false) ~= (other[index] or false) then return false; end
	end
	return true;
end

---- What clients and vnodes send ----

local function refuse(event, text)
	event.origin.send(st.error_reply(event.stanza, "cancel", "not-allowed", text));
	return true;
end

local function new_poll(event, room, data, sender)
	if main_domain then return refuse(event, "Poll cannot be created by visitor node"); end
	if #room.polls.order >= MAX_POLLS then return true; end
	if room.polls.by_id[data.pollId] then return refuse(event, "Poll already exists"); end
	local answers = {};
	for index, answer in ipairs(data.answers) do answers[index] = { name = answer.name }; end
	add(room, {
		pollId = data.pollId, question = data.question, answers = answers,
		senderId = sender.id, senderName = sender.name,
	});
	data.answers, data.senderId = answers, sender.id;
	tell_all(room, data);
	module:context(jid.host(room.jid)):fire_event("poll-created", { room = room });
	return true;
end

local function answer_poll(event, room, data, voter)
	local poll = room.polls.by_id[data.pollId];
	if not poll then
		module:log("warn", "answering inexistent poll %s", data.pollId);
		return;
	end
	local before = take_vote(poll, voter);
	put_vote(poll, voter, data.answers);
	if same_votes(poll, before, data.answers) then return true; end
	data.senderId, data.senderName = voter.id, voter.name;
	tell_all(room, data);
	module:context(jid.host(room.jid)):fire_event("answer-poll", { room = room, data = data, from = event.stanza.attr.from });
	return true;
end

module:hook("message/host", function (event)
	local origin, stanza = event.origin, event.stanza;
	if stanza.attr.type == "groupchat" or stanza:get_child("body") then return; end
	local data, text, element = util.parse_json(stanza);
	if not element then return; end
	if not text or #text >= MAX_BYTES or not data then
		module:log("error", "Poll payload is too large or no JSON. Sender: %s", stanza.attr.from);
		return true;
	end
	local room, sender;
	if origin.type == "s2sin" or origin.type == "s2sout" then
		room = element.attr.roomJid and util.get_room(util.internal(element.attr.roomJid));
		sender = { id = data.senderId, name = data.senderName };
	else
		local main = util.session_room(origin);
		local occupant;
		if main then occupant, room = util.find_occupant(main, stanza.attr.from); end
		sender = occupant and { id = jid.resource(occupant.nick), name = util.display_name(occupant) };
	end
	if not room or not sender or not room.polls then
		module:log("warn", "No room or occupant for a poll of %s", stanza.attr.from);
		return;
	end
	if data.command ~= "new-poll" and data.command ~= "answer-poll" then return; end
	if not is_valid(data) then
		module:log("error", "Invalid poll data. Sender: %s (%s)", stanza.attr.from, text);
		return true;
	end
	return (data.command == "new-poll" and new_poll or answer_poll)(event, room, data, sender);
end);

---- What the main server says to a vnode ----

local function voters_of(poll)
	local found = {};
	for index, answer in ipairs(poll.answers) do
		for _, voter in ipairs(answer.voters or {}) do
			found[voter.id] = found[voter.id] or {};
			found[voter.id][index] = true;
		end
	end
	return found;
end

local function tell_vote(room, poll, voter, votes)
	local answers = {};
	for index in ipairs(poll.answers) do answers[index] = votes[index] or false; end
	tell_all(room, {
		command = "answer-poll", type = "polls", pollId = poll.pollId, senderId = voter, answers = answers,
		roomJid = util.shown(room.jid),
	});
end

local function update(event)
	local room = event.room;
	for _, poll in ipairs(event.polls.polls or {}) do
		local known = room.polls.by_id[poll.pollId];
		if not known then
			add(room, poll);
			tell_all(room, {
				command = "new-poll", type = "polls", pollId = poll.pollId, senderId = poll.senderId,
				question = poll.question, answers = poll.answers, roomJid = util.shown(room.jid),
			});
		else
			local before, after = voters_of(known), voters_of(poll);
			known.answers = poll.answers;
			for voter, votes in pairs(after) do
				if not same_votes(poll, votes, before[voter] or {}) then tell_vote(room, poll, voter, votes); end
			end
			for voter in pairs(before) do
				if not after[voter] then tell_vote(room, poll, voter, {}); end
			end
		end
	end
end

local function watch(muc)
	muc:hook("muc-room-created", function (event)
		if not util.is_healthcheck_room(event.room.jid) then event.room.polls = { by_id = {}, order = {} }; end
	end);
	muc:hook("muc-occupant-joined", function (event)
		local room = event.room;
		if not room.polls or #room.polls.order == 0 or util.is_focus_nick(event.occupant.nick) then return; end
		if main_domain and event.occupant.role ~= "visitor" then return; end
		util.send_json(event.occupant.jid, all_polls(room));
	end);
	muc:hook("jitsi-polls-update", update);
end

util.when_host(util.main_muc, watch);
util.when_host("breakout." .. util.domain_base, watch);
