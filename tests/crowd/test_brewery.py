"""Who is in the brewery, and what its bridges answer; the room is one on loopback."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import pytest
from websockets.asyncio.server import ServerConnection

from labctl.core.waiting import Patience
from labctl.crowd import CrowdError
from labctl.crowd.admission import Account
from labctl.crowd.brewery import Brewery
from tests.crowd.fakexmpp import DOMAIN, FakeXmpp, running

pytestmark = pytest.mark.sockets

ROOM = f"jvbbrewery@internal.auth.{DOMAIN}"
ACCOUNT = Account("jvb", "secret")


def presence(nick: str, *, room: str = ROOM, kind: str = "") -> str:
    words = f" type='{kind}'" if kind else ""
    return f"<presence xmlns='jabber:client' from='{room}/{nick}'{words}/>"


@dataclass
class Room(FakeXmpp):
    """A room with somebody in it, where questions are answered as `answers` says."""

    there: tuple[str, ...] = (presence("jvb"), presence("focus"))
    own: str = ""
    """The type of one's own presence."""
    answers: dict[str, str] = field(default_factory=dict)
    """By who is asked: the type of the IQ in answer."""
    one: ServerConnection | None = None

    async def on_presence(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        self.one = ws
        for each in self.there:
            await ws.send(each)
        await ws.send(presence(stanza.get("to", "").partition("/")[2], kind=self.own))

    async def on_query(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        kind = self.answers.get(stanza.get("to", "").partition("/")[2])
        if kind is not None:
            await self.reply(ws, stanza, "<answer xmlns='n'/>", kind)


def play(
    folder: Path, server: Room, scene: Callable[[Brewery], Awaitable[None]], *, factor: float = 1
) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), running(server, folder) as target:
            target.patience = Patience(factor)
            async with Brewery(target, ACCOUNT) as brewery:
                await scene(brewery)

    asyncio.run(main())


async def nothing(brewery: Brewery) -> None:
    """Only come in."""


def sent(server: Room, name: str) -> list[ElementTree.Element]:
    return [stanza for stanza in server.stanzas if server.stage(stanza) == name]


def test_it_comes_as_a_bridge_under_a_name_of_its_own(tmp_path: Path) -> None:
    server = Room()
    play(tmp_path, server, nothing)
    assert server.seen[0] == "connect room=jvbbrewery"
    assert {stanza.get("to") for stanza in sent(server, "open")} == {f"auth.{DOMAIN}"}
    [auth] = sent(server, "auth")
    assert auth.get("mechanism") == "PLAIN"
    [entered] = sent(server, "presence")
    assert entered.tag == "{jabber:client}presence"
    assert re.fullmatch(rf"{re.escape(ROOM)}/labctl-[0-9a-f]{{8}}", entered.get("to", ""))
    assert [one.tag for one in entered] == ["{http://jabber.org/protocol/muc}x"], "no statistics"
    assert server.seen[-1] == "close"


def test_it_knows_who_else_is_there(tmp_path: Path) -> None:
    server = Room(
        there=(
            presence("jvb/1"),
            presence("jvb2"),
            presence("focus"),
            presence("jvb3", room=f"other@internal.auth.{DOMAIN}"),
            presence("jvb4").replace("presence", "message"),
            presence("jvb2", kind="unavailable"),
            presence("jvb5", kind="unavailable"),
        )
    )

    async def scene(brewery: Brewery) -> None:
        assert brewery.nicks == {"jvb/1", "focus"}

    play(tmp_path, server, scene)


@pytest.mark.parametrize("kind", ["result", "error"])
def test_a_bridge_that_is_asked_answers(tmp_path: Path, kind: str) -> None:
    server = Room(answers={"jvb1": kind})

    async def scene(brewery: Brewery) -> None:
        answer = await brewery.ask("jvb1", "<query xmlns='n'/>")
        assert (answer.get("type"), [one.tag for one in answer]) == (kind, ["{n}answer"])

    play(tmp_path, server, scene)
    [asked] = sent(server, "query")
    assert (asked.get("to"), asked.get("type")) == (f"{ROOM}/jvb1", "get")


def test_who_is_only_told_something_is_not_waited_for(tmp_path: Path) -> None:
    server = Room(answers={"jvb1": "error", "jvb2": "result"})

    async def scene(brewery: Brewery) -> None:
        brewery.tell("jvb1", "<query xmlns='n'/>")
        await brewery.ask("jvb2", "<query xmlns='n'/>")

    play(tmp_path, server, scene)
    assert [one.get("to") for one in sent(server, "query")] == [f"{ROOM}/jvb1", f"{ROOM}/jvb2"]
    assert server.seen[-1] == "close", "it went on until it left"


def test_an_answer_that_comes_too_late_is_nobodys(tmp_path: Path) -> None:
    class Slow(Room):
        async def on_query(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
            if len(sent(self, "query")) == 2:
                for asked in sent(self, "query"):
                    await self.reply(ws, asked, "", "result")

    async def scene(brewery: Brewery) -> None:
        first = asyncio.ensure_future(brewery.ask("jvb1", "<query xmlns='n'/>"))
        await asyncio.sleep(0)
        first.cancel()
        await brewery.ask("jvb2", "<query xmlns='n'/>")

    play(tmp_path, Slow(), scene)


@pytest.mark.parametrize(
    ("own", "action", "told"),
    [
        pytest.param("error", "", "it refuses", id="refused"),
        pytest.param("", "cut", "the connection was cut", id="cut"),
        pytest.param(
            "",
            "send:<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>",
            "the server closed the stream",
            id="closed",
        ),
    ],
)
def test_who_does_not_come_in_is_told_why(tmp_path: Path, own: str, action: str, told: str) -> None:
    server = Room({"presence": action} if action else {}, own=own)
    with pytest.raises(CrowdError, match=rf"^The brewery could not be joined: {told}\.$"):
        play(tmp_path, server, nothing)


def test_a_room_that_says_nothing_is_waited_for_as_long_as_the_lab_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.crowd.brewery.ENTER_SECONDS", 0.2)
    with pytest.raises(CrowdError, match=r"^The brewery could not be joined within 0\.6 s\.$"):
        play(tmp_path, Room({"presence": "silent"}), nothing, factor=3)


def test_it_does_not_come_with_a_certificate_that_is_not_the_labs(tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), running(Room(), tmp_path) as target:
            target.domain = "other.lab.internal"
            with pytest.raises(CrowdError, match="certificate is not trusted"):
                async with Brewery(target, ACCOUNT):
                    pass

    asyncio.run(main())
