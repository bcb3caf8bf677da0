"""The stand-in's Lua modules in the real Prosody, with the configuration that labctl renders.

Jicofo's part is played by a plain client with Jicofo's accounts.  What is asserted here is what
the originals were seen to do on the wire.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.standins import servers as machines
from tests.standins.client import Client, matching, xpath
from tests.standins.servers import Servers

MAIN = "meet.lab.internal"
MUC = f"conference.{MAIN}"
VMUC = "conference.v1.meet.jitsi"

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    try:
        yield machines.start(machines.image(), tmp_path_factory.mktemp("standins"))
    finally:
        if not os.environ.get("LABCTL_STANDIN_KEEP"):
            machines.remove()


@dataclass
class Stage:
    """Clients of one test, closed at its end."""

    servers: Servers
    clients: list[Client] = field(default_factory=list)

    async def client(self, **more: str) -> Client:
        host = str(self.servers.topology.jms.address)
        new = await Client.login(host, ca=self.servers.ca, domain=MAIN, **more)
        self.clients.append(new)
        return new

    async def participant(self, room: str, nick: str) -> Client:
        new = await self.client()
        await new.join(f"{room}@{MUC}", nick)
        return new

    async def visitor(self, room: str, nick: str, *, wait: bool = True) -> Client:
        new = await self.client(to="v1.meet.jitsi", vnode="v1")
        await new.join(f"{room}@{VMUC}", nick, wait=wait)
        return new

    async def focus(self) -> Client:
        new = await self.client(
            to=f"auth.{MAIN}", user="focus", resource="focus",
            password=self.servers.secrets.focus_password,
        )  # fmt: skip
        await new.send("<presence xmlns='jabber:client'/>")
        return new

    async def visitor_focus(self) -> Client:
        return await self.client(
            to="auth.meet.jitsi", vnode="v1", user="focus", resource="focus",
            password=self.servers.secrets.vnode_passwords["v1"],
        )  # fmt: skip

    async def linked(
        self, room: str, nicks: list[str], *, said: str = ""
    ) -> tuple[Client, Client, list[Client]]:
        """A conference with participants, linked with v1: both focuses, the participants.

        The first one says something before that.
        """
        focus, visitor_focus = await self.focus(), await self.visitor_focus()
        await focus.join(f"{room}@{MUC}", "focus")
        people = [await self.participant(room, nick) for nick in nicks]
        if said:
            await people[0].say(f"{room}@{MUC}", said, "m0")
            await people[0].until(matching("self::c:message[@id='m0']"), "its own message")
        await visitor_focus.join(f"{room}@{VMUC}", "focus")
        answer = await focus.iq(connect_vnode(room), to=f"visitors.{MAIN}")
        assert answer.get("type") == "result"
        return focus, visitor_focus, people


def connect_vnode(room: str, vnode: str = "v1") -> str:
    return (
        f"<visitors xmlns='jitsi:visitors' room='{room}@{MUC}'>"
        f"<connect-vnode xmlns='jitsi:visitors' vnode='{vnode}'/></visitors>"
    )


@asynccontextmanager
async def stage(servers: Servers) -> AsyncIterator[Stage]:
    made = Stage(servers)
    try:
        yield made
    finally:
        for client in made.clients:
            await client.close()


def played(servers: Servers, play: Callable[[Stage], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with stage(servers) as made:
            await play(made)

    asyncio.run(run())


async def identities(client: Client, host: str) -> set[tuple[str, str, str]]:
    answer = await client.iq("<query xmlns='http://jabber.org/protocol/disco#info'/>", to=host)
    found = xpath(answer, "disco:query/disco:identity")
    return {(i.get("category"), i.get("type"), i.get("name")) for i in found}


def test_the_main_host_announces_its_components(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        found = await identities(await on.client(), MAIN)
        for kind, host in [
            ("visitors", "visitors"), ("room_metadata", "metadata"), ("lobbyrooms", "lobby"),
            ("breakout_rooms", "breakout"), ("av_moderation", "avmoderation"), ("polls", "polls"),
            ("speakerstats", "speakerstats"), ("end_conference", "endconference"),
        ]:  # fmt: skip
            assert ("component", kind, f"{host}.{MAIN}") in found

    played(servers, play)


def test_a_request_reaches_jicofo_with_the_senders_address_escaped(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        focus, client = await on.focus(), await on.client()
        await focus.settle(0.3)
        request = asyncio.create_task(
            client.iq(f"<conference xmlns='http://jitsi.org/protocol/focus' room='r@{MUC}'/>",
                      kind="set", to=f"focus.{MAIN}")
        )  # fmt: skip
        iq = await focus.until(matching("self::c:iq[focus:conference]"), "the request")
        escaped = client.jid.replace("@", "\\40").replace("/", "\\2f")
        assert iq.get("from") == f"focus.{MAIN}/{escaped}"
        assert iq.get("to") == f"focus@auth.{MAIN}/focus"
        await focus.send(
            f"<iq xmlns='jabber:client' type='result' id='{iq.get('id')}' to='{iq.get('from')}'>"
            "<conference xmlns='http://jitsi.org/protocol/focus' ready='true'/></iq>"
        )
        answer = await request
        assert answer.get("from") == f"focus.{MAIN}"
        assert xpath(answer, "focus:conference[@ready='true']")

    played(servers, play)


def test_without_jicofo_a_request_is_refused_and_no_room_is_made(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        client = await on.client()
        answer = await client.iq("<conference xmlns='http://jitsi.org/protocol/focus'/>",
                                 kind="set", to=f"focus.{MAIN}")  # fmt: skip
        assert xpath(answer, "c:error/stanzas:service-unavailable")
        await client.join(f"nobody@{MUC}", "a", wait=False)
        refused = await client.until(matching("self::c:presence[@type='error']"), "the refusal")
        assert xpath(refused, "c:error/stanzas:not-allowed")

    played(servers, play)


@pytest.mark.parametrize("tenant", ["acme", "acme_inc", "%d0%be%d0%b1"])
def test_a_tenants_room_is_its_own(servers: Servers, tenant: str) -> None:
    """As the originals have it: Jicofo, too, sees the address that clients see."""
    outside, vnode_side = f"t@conference.{tenant}.{MAIN}", f"t@conference.{tenant}.v1.meet.jitsi"

    async def play(on: Stage) -> None:
        focus, visitor_focus = await on.focus(), await on.visitor_focus()
        for room in (outside, f"t@{MUC}"):
            await focus.join(room, "focus")
        client, stranger = await on.client(), await on.client()
        await client.join(outside, "aaaa1111")
        await stranger.join(f"t@{MUC}", "bbbb2222")
        await stranger.settle()
        assert set(client.occupants(outside)) == set(focus.occupants(outside))
        assert set(client.occupants(outside)) == {"focus", "aaaa1111"}
        assert set(stranger.occupants(f"t@{MUC}")) == {"focus", "bbbb2222"}
        shell = servers.sh("jms", f"prosodyctl shell muc list {MUC} 2>/dev/null")
        assert f"[{tenant}]t@{MUC}" in shell
        asked = f"conference.{tenant}.{MAIN}"
        answer = await client.iq("<query xmlns='http://jabber.org/protocol/disco#info'/>", to=asked)
        assert (answer.get("type"), answer.get("from")) == ("result", asked)
        await visitor_focus.join(vnode_side, "focus")
        link = connect_vnode("t").replace(f"t@{MUC}", outside)
        assert (await focus.iq(link, to=f"visitors.{MAIN}")).get("type") == "result"
        visitor = await on.client(to="v1.meet.jitsi", vnode="v1")
        await visitor.join(vnode_side, "cccc3333")
        await visitor.settle()
        assert set(visitor.occupants(vnode_side)) == {"focus", "aaaa1111", "cccc3333"}

    played(servers, play)


def test_who_comes_before_jicofo_waits(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        focus, early = await on.focus(), await on.client()
        # Jicofo opens the room under another nick first, so that there is a room to wait for.
        await focus.join(f"wait@{MUC}", "opener")
        await early.join(f"wait@{MUC}", "early", wait=False)
        await early.settle()
        assert early.occupants(f"wait@{MUC}") == {}
        second = await on.client(to=f"auth.{MAIN}", user="focus", resource="second",
                                 password=servers.secrets.focus_password)  # fmt: skip
        await second.join(f"wait@{MUC}", "focus")
        await early.joined(f"wait@{MUC}")

    played(servers, play)


def test_jicofo_reads_one_meeting_id_and_makes_the_first_a_moderator(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        focus = await on.focus()
        await focus.join(f"owner@{MUC}", "focus")
        form = await focus.iq("<query xmlns='http://jabber.org/protocol/muc#owner'/>",
                              to=f"owner@{MUC}")  # fmt: skip
        ids = xpath(form, "//data:field[@var='muc#roominfo_meetingId']/data:value")
        info = await focus.iq("<query xmlns='http://jabber.org/protocol/disco#info'/>",
                              to=f"owner@{MUC}")  # fmt: skip
        shown = xpath(info, "//data:field[@var='muc#roominfo_meetingId']/data:value")
        assert len(ids) == len(shown) == 1
        assert ids[0].text == shown[0].text
        assert len(ids[0].text or "") == 36
        first = await on.participant("owner", "aaaa1111")
        joined = await first.joined(f"owner@{MUC}")
        item = xpath(joined, "user:x/user:item")[0]
        assert (item.get("role"), item.get("affiliation")) == ("participant", "none")
        await focus.iq(
            "<query xmlns='http://jabber.org/protocol/muc#admin'>"
            f"<item affiliation='owner' jid='{first.jid.split('/')[0]}'/></query>",
            kind="set", to=f"owner@{MUC}",
        )  # fmt: skip
        again = await first.until(
            matching("self::c:presence[user:x/user:item[@role='moderator'][@affiliation='owner']]"
                     "[user:x/user:status[@code='110']]"), "itself as moderator"
        )  # fmt: skip
        assert xpath(again, "jitmeet:permissions/jitmeet:p[@name='recording']")

    played(servers, play)


def test_a_visitor_waits_for_the_link_and_sees_the_main_room_only(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        focus, visitor_focus = await on.focus(), await on.visitor_focus()
        await focus.join(f"see@{MUC}", "focus")
        for nick in ("p1", "p2", "p3"):
            await on.participant("see", nick)
        await visitor_focus.join(f"see@{VMUC}", "focus")
        one = await on.visitor("see", "v1one", wait=False)
        await one.settle()
        assert one.occupants(f"see@{VMUC}") == {}
        await focus.iq(connect_vnode("see"), to=f"visitors.{MAIN}")
        await one.joined(f"see@{VMUC}")
        two = await on.visitor("see", "v1two")
        await on.participant("see", "p4")
        await two.until(matching(f"self::c:presence[@from='see@{VMUC}/p4']"), "p4")
        await one.settle()
        people = {"p1": "participant", "p2": "participant", "p3": "participant",
                  "p4": "participant", "focus": "moderator"}  # fmt: skip
        assert one.occupants(f"see@{VMUC}") == {**people, "v1one": "visitor"}
        assert two.occupants(f"see@{VMUC}") == {**people, "v1two": "visitor"}
        seen_by_focus = visitor_focus.occupants(f"see@{VMUC}")
        assert seen_by_focus == {**people, "v1one": "visitor", "v1two": "visitor"}
        assert xpath(
            next(e for e in visitor_focus.seen if e.get("from") == f"see@{VMUC}/v1one"),
            f"user:x/user:item[@jid='{one.jid}']",
        )
        # A change and a leave in the main room.
        p4 = on.clients[-1]
        await p4.presence(f"see@{MUC}/p4", "<videomuted xmlns='jabber:client'>true</videomuted>")
        await one.until(matching(f"self::c:presence[@from='see@{VMUC}/p4'][c:videomuted]"), "mute")
        await p4.presence(f"see@{MUC}/p4", kind="unavailable")
        await one.until(
            matching(f"self::c:presence[@from='see@{VMUC}/p4'][@type='unavailable']"), "p4 leave"
        )
        await two.presence(f"see@{VMUC}/v1two", kind="unavailable")
        await visitor_focus.until(
            matching(f"self::c:presence[@from='see@{VMUC}/v1two'][@type='unavailable']"), "leave"
        )

    played(servers, play)


def test_chat_goes_both_ways(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        _, _, (main, _) = await on.linked("chat", ["p1", "p2"], said="before")
        one, two = await on.visitor("chat", "v1one"), await on.visitor("chat", "v1two")
        await one.say(f"chat@{VMUC}", "hello", "m1")
        got = await main.until(matching("self::c:message[@id='m1']"), "the visitor's message")
        assert got.get("from") == f"chat@{MUC}"
        assert got.get("type") == "groupchat"
        assert xpath(got, "nick:nick")[0].text == "V1ONE"
        assert xpath(got, "display:display-name[@source='visitor']")[0].text == "V1ONE"
        other = await two.until(matching("self::c:message[@id='m1']"), "the message, two")
        assert other.get("from") == f"chat@{VMUC}/v1one"
        await main.say(f"chat@{MUC}", "welcome", "m2")
        for visitor in (one, two):
            got = await visitor.until(matching("self::c:message[@id='m2']"), "the answer")
            assert got.get("from") == f"chat@{VMUC}/p1"
        late = await on.visitor("chat", "v1late")
        old = await late.until(matching("self::c:message[c:body='before']"), "history")
        assert old.get("from") == f"chat@{VMUC}/p1"
        await two.settle(0.3)
        assert [e for e in late.seen if e.get("id") == "m2"] == [], "kept by the vnode"
        assert len([e for e in two.seen if e.get("id") == "m1"]) == 1

    played(servers, play)


def test_private_messages(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        _, _, (main,) = await on.linked("pm", ["p1"])
        one, _two = await on.visitor("pm", "v1one"), await on.visitor("pm", "v1two")
        text = "<message xmlns='jabber:client' to='{}' type='chat' id='{}'><body>x</body></message>"
        await one.send(text.format(f"pm@{VMUC}/p1", "pm1"))
        got = await main.until(matching("self::c:message[@id='pm1']"), "the private message")
        assert xpath(got, f"addr:addresses/addr:address[@type='ofrom'][@jid='pm@{VMUC}/v1one']")
        await one.send(text.format(f"pm@{VMUC}/v1two", "pm2"))
        refused = await one.until(matching("self::c:message[@id='pm2'][@type='error']"), "refusal")
        assert xpath(refused, "c:error/stanzas:forbidden")

    played(servers, play)


def test_jicofo_owns_the_rooms_and_finds_the_visitors_again(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        _, visitor_focus, _ = await on.linked("again", ["p1"])
        await on.visitor("again", "v1one")
        form = (
            "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' "
            "type='submit'><field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig"
            "</value></field><field var='muc#roomconfig_whois'><value>anyone</value></field></x>"
            "</query>"
        )
        answer = await visitor_focus.iq(form, kind="set", to=f"again@{VMUC}")
        assert answer.get("type") == "result"
        await visitor_focus.presence(f"again@{VMUC}/focus", kind="unavailable")
        await visitor_focus.settle(0.3)
        restarted = await on.visitor_focus()
        await restarted.join(f"again@{VMUC}", "focus")
        assert restarted.occupants(f"again@{VMUC}") == {
            "focus": "moderator", "p1": "participant", "v1one": "visitor",
        }  # fmt: skip

    played(servers, play)


def test_thirty_participants_are_mirrored_and_a_dead_vnode_hurts_nobody(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        _, _, people = await on.linked("many", [f"p{number}" for number in range(30)])
        visitor = await on.visitor("many", "v1one")
        await visitor.settle()
        assert len(visitor.occupants(f"many@{VMUC}")) == 32
        servers.sh("visitors1", "systemctl kill -s KILL prosody-v@1")
        await people[0].say(f"many@{MUC}", "still there?", "dead1")
        await people[1].until(matching("self::c:message[@id='dead1']"), "the message")
        await people[0].settle(1)
        assert not [e for e in people[0].seen if e.get("type") == "error"]
        servers.sh("visitors1", "systemctl start prosody-v@1")

    try:
        played(servers, play)
    finally:
        servers.sh("visitors1", "systemctl start prosody-v@1")
        machines.wait_for(servers, "visitors1", "ss -ltn | grep -q ':52801 '")


def test_a_raised_hand_is_a_promotion(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        await on.linked("hand", ["p1"])
        visitor = await on.visitor("hand", "v1one")
        began = time.monotonic()
        await visitor.presence(
            f"hand@{VMUC}/v1one",
            "<jitsi_participant_raisedHand>1763720000000</jitsi_participant_raisedHand>",
        )
        iq = await visitor.until(matching("self::c:iq[v:visitors]"), "the promotion")
        assert time.monotonic() - began < 1
        assert (iq.get("type"), iq.get("from")) == ("set", f"hand@{VMUC}")
        (element,) = xpath(iq, "v:visitors")
        assert element.get("room") == f"hand@{VMUC}"
        assert element.get("focusjid") == f"focus@auth.{MAIN}"
        (response,) = xpath(element, "v:promotion-response")
        assert response.get("allow") == "true"
        assert response.get("jid") == visitor.jid
        assert len(response.get("username") or "") == 36
        back = await on.client(more=f"&customusername={response.get('username')}")
        await back.join(f"hand@{MUC}", "back")

    played(servers, play)


def test_only_jicofo_links_and_visitors_reach_no_component(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        _, _, (main,) = await on.linked("rights", ["p1"])
        answer = await main.iq(connect_vnode("rights", "v2"), to=f"visitors.{MAIN}")
        assert xpath(answer, "c:error/stanzas:forbidden")
        visitor = await on.visitor("rights", "v1one")
        answer = await visitor.iq(connect_vnode("rights"), to=f"visitors.{MAIN}")
        assert answer.get("from") == "visitors.v1.meet.jitsi"
        assert xpath(answer, "c:error/stanzas:service-unavailable")
        answer = await visitor.iq("<ping xmlns='urn:xmpp:ping'/>", to="example.org")
        assert xpath(answer, "c:error/stanzas:not-allowed")
        assert "Communication with this domain is restricted" in "".join(answer.itertext())

    played(servers, play)


def test_the_room_ends_with_the_last_main_participant(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        focus, _, people = await on.linked("end", ["p1", "p2"])
        visitors = [await on.visitor("end", nick) for nick in ("v1one", "v1two")]
        began = time.monotonic()
        for person in people:
            await person.close()
        await focus.presence(f"end@{MUC}/focus", kind="unavailable")
        for visitor, nick in zip(visitors, ("v1one", "v1two"), strict=True):
            await visitor.until(
                matching(f"self::c:presence[@from='end@{VMUC}/{nick}'][@type='unavailable']"),
                "its own end", seconds=15,
            )  # fmt: skip
        assert time.monotonic() - began < 5
        pong = await visitors[0].iq("<ping xmlns='urn:xmpp:ping'/>", to="v1.meet.jitsi")
        assert pong.get("type") == "result"

    played(servers, play)
    log = servers.sh("visitors1", "cat /var/log/prosody-v1/prosody.log")
    assert f"Will destroy:end@{VMUC} main_occupants:0 visitors:2" in log


def test_the_room_ends_fifteen_seconds_after_the_last_visitor(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        _, visitor_focus, _ = await on.linked("alone", ["p1"])
        visitor = await on.visitor("alone", "v1one")
        began = time.monotonic()
        await visitor.close()
        await visitor_focus.until(
            matching(f"self::c:presence[@from='alone@{VMUC}/focus'][@type='unavailable']"),
            "the end", seconds=25,
        )  # fmt: skip
        assert 14 < time.monotonic() - began < 18

    played(servers, play)


def test_every_sixth_join_takes_a_second_more(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        focus = await on.focus()
        await focus.join(f"rate@{MUC}", "focus")
        clients = [await on.client() for _ in range(12)]
        took = []
        for number, client in enumerate(clients):
            began = time.monotonic()
            await client.join(f"rate@{MUC}", f"r{number}")
            took.append(time.monotonic() - began)
        slow = [seconds for seconds in took if seconds > 0.5]
        assert 2 <= len(slow) <= 4, took
        assert all(seconds < 1.6 for seconds in slow), took

    played(servers, play)


def test_without_automatic_promotion_nobody_joins_directly(servers: Servers) -> None:
    async def play(on: Stage) -> None:
        await on.linked("closed", ["p1"])
        late = await on.client()
        await late.join(f"closed@{MUC}", "late", wait=False)
        refused = await late.until(matching("self::c:presence[@type='error']"), "the refusal")
        assert xpath(refused, "c:error/stanzas:not-allowed")
        assert "Visitor needs to be allowed by a moderator" in "".join(refused.itertext())

    conf, kept = "/etc/prosody/prosody.cfg.lua", "/etc/prosody/kept"
    listening = "ss -ltn | grep -q ':5280 '"
    switch = "s/auto_allow_visitor_promotion = true/auto_allow_visitor_promotion = false/"
    servers.sh("jms", f"cp -p {conf} {kept}; sed -i '{switch}' {conf}; systemctl restart prosody")
    try:
        machines.wait_for(servers, "jms", listening)
        played(servers, play)
    finally:
        servers.sh("jms", f"cp -p {kept} {conf}; systemctl restart prosody")
        machines.wait_for(servers, "jms", listening)


@pytest.mark.parametrize("vnode", ["", "?vnode=v1", "?vnode=v2"])
def test_bosh_answers_through_nginx(servers: Servers, vnode: str) -> None:
    address = servers.topology.jms.address
    done = subprocess.run(
        ["curl", "-sS", "--cacert", servers.ca, "--resolve", f"{MAIN}:443:{address}",
         f"https://{MAIN}/http-bind{vnode}"],
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert "It works! Now point your BOSH client to this URL" in done.stdout, done.stderr


def test_links_are_encrypted_and_nobody_complains(servers: Servers) -> None:
    main = servers.sh("jms", "cat /var/log/prosody/prosody.log")
    vnode = servers.sh("visitors1", "cat /var/log/prosody-v1/prosody.log")
    assert f"Outgoing s2s connection {MAIN}->{VMUC} complete" in main
    assert f"Incoming s2s connection {MAIN}->{VMUC} complete" in vnode
    assert "Stream encrypted (TLSv1.3" in main
    for node, folder in (
        ("jms", "prosody"),
        ("visitors1", "prosody-v1"),
        ("visitors1", "prosody-v2"),
    ):
        assert servers.sh(node, f"cat /var/log/{folder}/prosody.err") == ""


def test_every_module_compiles() -> None:
    folder = Path(machines.ROOT) / "standins/jitsi-meet-prosody/root/usr/share/jitsi-meet"
    done = subprocess.run(
        ["docker", "run", "--rm", "-v", f"{folder}/prosody-plugins:/p:ro", machines.image(),
         "sh", "-c", "luac5.4 -p /p/*.lua"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
