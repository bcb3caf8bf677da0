"""Participants who come by BOSH, ask over HTTP, or lose their connection and come back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from labctl.crowd import CrowdError, Kind, Options, Participant, Target
from labctl.crowd.asking import Asking, Question, ask_over_http
from labctl.crowd.door import ASK_EVERY, Line, Unacked
from labctl.crowd.names import RoomName
from tests.crowd.fakehttp import FakeWeb, serving
from tests.crowd.fakexmpp import DOMAIN, FakeXmpp, running

pytestmark = pytest.mark.sockets

BOSH = Options(line=Line.BOSH)


def play(folder: Path, server: FakeWeb, scene: Callable[[Target], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), serving(server, folder) as target:
            await scene(target)

    asyncio.run(main())


def play_websocket(
    folder: Path, server: FakeXmpp, scene: Callable[[Target], Awaitable[None]]
) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), running(server, folder) as target:
            await scene(target)

    asyncio.run(main())


def test_whole_call_over_bosh(tmp_path: Path) -> None:
    server = FakeWeb(FakeXmpp())

    async def scene(target: Target) -> None:
        async with Participant(target, "Acme/R1", options=BOSH) as one:
            await one.join(deadline=5)
            await one.wait_for(Kind.ACCEPTED, deadline=5)
            one.say("hello")
            await one.wait_for(Kind.MESSAGE, deadline=5)

    play(tmp_path, server, scene)
    assert server.requests[0] == f"begin {DOMAIN}"
    assert "restart" in server.requests and server.requests[-1] == "terminate"
    assert server.rids == list(range(server.rids[0], server.rids[0] + len(server.rids)))
    assert set(server.paths) == {"/Acme/http-bind?room=r1"}
    assert list(server.xmpp.rooms) == [f"r1@conference.acme.{DOMAIN}"]
    assert "enable" not in server.xmpp.seen, "BOSH has its own way to survive a lost connection"


@pytest.mark.parametrize(
    ("status", "condition", "told"),
    [
        pytest.param(502, "", "HTTP 502", id="nobody behind nginx"),
        pytest.param(200, "policy-violation", "policy-violation", id="session ended"),
    ],
)
def test_bosh_that_fails_says_why(tmp_path: Path, status: int, condition: str, told: str) -> None:
    async def scene(target: Target) -> None:
        with pytest.raises(CrowdError, match=told):
            await Participant(target, "r1", options=BOSH).join(deadline=5)

    play(tmp_path, FakeWeb(FakeXmpp(), status=status, terminate=condition), scene)


def test_request_over_http(tmp_path: Path) -> None:
    server = FakeWeb(FakeXmpp(), status=200)
    options = Options(line=Line.BOSH, asking=Asking.HTTP, want_visitor=True)

    async def scene(target: Target) -> None:
        async with Participant(target, "r1", options=options) as one:
            await one.join(deadline=5)
            kinds = [event.kind for event in one.events]
            assert kinds.index(Kind.ANSWERED) < kinds.index(Kind.CONNECTED)

    play(tmp_path, server, scene)
    [asked] = server.asked
    assert asked["room"] == f"r1@conference.{DOMAIN}"
    assert asked["properties"]["visitor"] == "true"
    assert len(asked["machineUid"]) == 32
    assert "conference" not in server.xmpp.seen, "it is not asked for twice"


def test_request_over_http_leads_to_the_vnode_at_once(tmp_path: Path) -> None:
    server = FakeWeb(FakeXmpp(vnode="v1"))
    options = Options(line=Line.BOSH, asking=Asking.HTTP)

    async def scene(target: Target) -> None:
        async with Participant(target, "r1", options=options) as one:
            await one.join(deadline=5)
            assert one.view().vnode == "v1"

    play(tmp_path, server, scene)
    assert [request for request in server.requests if request.startswith("begin")] == [
        "begin v1.meet.jitsi"
    ]


def test_request_over_http_is_repeated_until_the_focus_is_ready(tmp_path: Path) -> None:
    server = FakeWeb(FakeXmpp(not_ready=2))
    options = Options(line=Line.BOSH, asking=Asking.HTTP)

    async def scene(target: Target) -> None:
        async with Participant(target, "r1", options=options) as one:
            await one.join(deadline=8)

    play(tmp_path, server, scene)
    assert len(server.asked) == 3
    assert len({asked["machineUid"] for asked in server.asked}) == 1


@pytest.mark.parametrize(
    ("status", "told"), [(403, "not-authorized"), (400, "bad-request"), (502, "HTTP 502")]
)
def test_refused_request_over_http(tmp_path: Path, status: int, told: str) -> None:
    async def scene(target: Target) -> None:
        with pytest.raises(CrowdError, match=told):
            await ask_over_http(target, Question(RoomName.of("acme/r1")))

    server = FakeWeb(FakeXmpp(), status=status)
    play(tmp_path, server, scene)
    assert server.paths == ["/acme/conference-request/v1"]


def bodies(server: FakeXmpp) -> list[str]:
    found = (stanza.findtext("{jabber:client}body") for stanza in server.stanzas)
    return [body for body in found if body]


@pytest.mark.parametrize("got", [0, 1, 2])
def test_resumed_session_sends_again_what_was_lost(tmp_path: Path, got: int) -> None:
    """The server had `got` of two messages when the connection was lost."""
    server = FakeXmpp({"r": "silent"})

    async def scene(target: Target) -> None:
        async with Participant(target, "r1", options=Options(lasting=True)) as one:
            await one.join(deadline=5)
            await one.wait_for(Kind.ACCEPTED, deadline=5)
            sid, jid = one.view().sid, one.view().jid
            one.say("first")
            one.say("second")
            await one.wait_for(Kind.MESSAGE, deadline=5, count=2)
            server.handled += got - 2
            one.drop()
            await one.resume(deadline=5)
            one.say("third")
            await one.wait_for(Kind.MESSAGE, deadline=5, count=5 - got)
            view = one.view()
            assert (view.sid, view.jid, view.state) == (sid, jid, "joined")
            assert view.last(Kind.RESUMED) is not None

    play_websocket(tmp_path, server, scene)
    assert bodies(server) == ["first", "second", *["first", "second"][got:], "third"]
    assert server.seen.count("connect previd=x room=r1") == 1


def test_session_that_is_forgotten_cannot_be_resumed(tmp_path: Path) -> None:
    condition = "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    server = FakeXmpp({"resume": f"send:<failed xmlns='urn:xmpp:sm:3'>{condition}</failed>"})

    async def scene(target: Target) -> None:
        one = await Participant(target, "r1", options=Options(lasting=True)).join(deadline=5)
        one.drop()
        with pytest.raises(CrowdError, match="item-not-found"):
            await one.resume(deadline=5)
        assert one.state == "lost"

    play_websocket(tmp_path, server, scene)


def test_unacked_asks_and_forgets() -> None:
    unacked = Unacked()
    asked = [unacked.add(f"<s{index}/>") for index in range(2 * ASK_EVERY)]
    assert [index for index, ask in enumerate(asked) if ask] == [ASK_EVERY - 1, 2 * ASK_EVERY - 1]
    unacked.forget(ASK_EVERY)
    assert next(iter(unacked)) == f"<s{ASK_EVERY}/>"
    unacked.forget(2**32 + ASK_EVERY)  # the same number, modulo 2**32
    assert len(list(unacked)) == ASK_EVERY
    unacked.forget(100)
    assert list(unacked) == []
