"""ICE by itself: what this machine refuses, roles, and a bridge that goes away."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from aioice import stun

from labctl.crowd.events import Kind
from labctl.crowd.media import MediaStage
from labctl.crowd.media import agent as agents
from labctl.crowd.media.agent import Agent
from labctl.crowd.media.check import Address
from labctl.crowd.media.offer import Candidate, Transport
from labctl.crowd.xml import FOCUS, parse_stanza
from tests.crowd.media.fakebridge import FakeBridge
from tests.crowd.media.person import OPTIONS, Person, play

BRIDGE = Candidate("192.0.2.9", 10000, "udp", "host", 5)
TRANSPORT = Transport("theirs", "p" * 24, "actpass", (), (BRIDGE,), (), None)


class Wire:
    """A way that leads to a function instead of a network."""

    def __init__(self) -> None:
        self.sent: list[stun.Message] = []
        self.refusal: OSError | None = None

    def send(self, datagram: bytes, to: Address) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.sent.append(stun.parse_message(datagram))

    def close(self) -> None:
        """Nothing is open."""


def run(scene: Callable[[Agent, Wire], Awaitable[None]]) -> None:
    async def main() -> None:
        agent, wire = Agent(TRANSPORT), Wire()
        try:
            async with asyncio.timeout(5):
                await scene(agent, wire)
        finally:
            agent.close()

    asyncio.run(main())


def answer(request: stun.Message, *, error: int | None = None, key: str = "p" * 24) -> bytes:
    kind = stun.Class.ERROR if error else stun.Class.RESPONSE
    message = stun.Message(request.message_method, kind, request.transaction_id)
    if error:
        message.attributes["ERROR-CODE"] = (error, "no")
    message.add_message_integrity(key.encode())
    return bytes(message)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        pytest.param(errno.EPERM, "this machine's own firewall drops what is sent there", id="nft"),
        pytest.param(errno.ENETUNREACH, "this machine cannot send there (Network is", id="route"),
    ],
)
def test_what_this_machine_refuses_is_not_the_labs_fault(number: int, words: str) -> None:
    async def scene(agent: Agent, wire: Wire) -> None:
        error = PermissionError if number == errno.EPERM else OSError
        wire.refusal = error(number, os.strerror(number))
        agent.check([BRIDGE], lambda _: wire)
        await asyncio.sleep(0.05)
        problem = agent.problem()
        assert problem.stage is MediaStage.BLOCKED and words in problem.detail
        wire.refusal = None  # the rule is gone: the next check finds it out
        await asyncio.sleep(0.2)
        assert agent.problem().stage is MediaStage.NO_ANSWER

    run(scene)


def test_a_way_that_answers_is_taken_although_nobody_nominates() -> None:
    async def scene(agent: Agent, wire: Wire) -> None:
        agent.check([BRIDGE], lambda _: wire)
        await asyncio.sleep(0.02)
        agent.receive(answer(wire.sent[0]), ("192.0.2.9", 10000), wire)
        assert agent.selected is None
        await agent.connect()
        [reach] = agent.reaches()
        assert (reach.reachable, reach.chosen) == (True, True)
        assert reach.seconds is not None

    run(scene)


def test_an_answer_with_another_password_counts_as_none() -> None:
    async def scene(agent: Agent, wire: Wire) -> None:
        agent.check([BRIDGE], lambda _: wire)
        await asyncio.sleep(0.02)
        agent.receive(answer(wire.sent[0], key="q" * 24), ("192.0.2.9", 10000), wire)
        assert agent.problem().stage is MediaStage.WRONG_CREDENTIALS
        agent.receive(answer(wire.sent[0]), ("192.0.2.9", 10000), wire)  # answered already
        assert agent.problem().stage is MediaStage.WRONG_CREDENTIALS

    run(scene)


def test_a_role_conflict_is_mended() -> None:
    async def scene(agent: Agent, wire: Wire) -> None:
        agent.check([BRIDGE], lambda _: wire)
        await asyncio.sleep(0.02)
        assert "ICE-CONTROLLED" in wire.sent[0].attributes
        agent.receive(answer(wire.sent[0], error=487), ("192.0.2.9", 10000), wire)
        assert "ICE-CONTROLLING" in wire.sent[1].attributes
        agent.receive(answer(wire.sent[1]), ("192.0.2.9", 10000), wire)
        await agent.connect()
        assert "USE-CANDIDATE" in wire.sent[-1].attributes

    run(scene)


def test_a_check_of_a_stranger_is_refused() -> None:
    async def scene(agent: Agent, wire: Wire) -> None:
        agent.check([BRIDGE], lambda _: wire)
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{agent.ufrag}:theirs"
        request.add_message_integrity(b"wrong")
        agent.receive(bytes(request), ("192.0.2.9", 10000), wire)
        assert wire.sent[-1].attributes["ERROR-CODE"][0] == 401
        assert agent.problem().stage is MediaStage.WRONG_CREDENTIALS
        assert "other credentials" in agent.problem().detail

    run(scene)


@pytest.mark.sockets
@pytest.mark.parametrize("restart", [False, True])
def test_a_bridge_that_does_not_answer_any_more(
    monkeypatch: pytest.MonkeyPatch, restart: bool
) -> None:
    monkeypatch.setattr(agents, "CONSENT_EVERY", 0.05)

    async def scene(bridge: FakeBridge) -> None:
        person = Person("aaaa1111", replace(OPTIONS, restart=restart))
        endpoint = await person.invite(bridge)
        await person.wait(Kind.MEDIA)
        assert person.view().lost is None
        for protocol in endpoint.ice._connection._protocols:
            protocol.transport.abort()  # as if the process was killed
        event = await person.wait(Kind.MEDIA_FAILED)
        assert event.details["stage"] == MediaStage.NO_ANSWER
        view = person.view()
        assert view.problem is None and view.lost is not None
        assert (view.lost.bridge, view.lost.stage) == ("jvb1", MediaStage.NO_ANSWER)
        assert "it was connected" in view.lost.detail
        assert len(person.said) == restart
        if restart:
            terminate = parse_stanza(person.said[0])
            assert terminate.get("action") == "session-terminate"
            bridge_session = terminate.find(f"{{{FOCUS}}}bridge-session")
            assert bridge_session is not None
            assert bridge_session.attrib == {"id": "b1", "restart": "true"}

    play(scene)
