"""Conference requests: what is asked, what is understood of the answer, and asking again."""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from labctl.core.waiting import NO_PATIENCE
from labctl.crowd import CrowdError, Kind, StanzaError, Target
from labctl.crowd.asking import BACK_OFF, Question, ask_over_http, ask_over_xmpp, ask_until_ready
from labctl.crowd.conference import Answer
from labctl.crowd.door import Door
from labctl.crowd.names import RoomName
from labctl.crowd.recorder import Recorder
from labctl.crowd.stream import Stream
from tests.crowd.answering import Answering, http, play
from tests.crowd.fakexmpp import DOMAIN, FakeXmpp, running

PROPERTIES = {"visitors-version": "1", "rtcstatsEnabled": "false", "visitor": "true"}
QUESTION = Question(RoomName.of("Acme/R1"), want_visitor=True, token="abc", machine="m1")


def ask(folder: Path, server: Answering, question: Question = QUESTION) -> Answer:
    """What Jicofo's answer to a question over HTTP is understood to be."""
    answers: list[Answer] = []

    async def scene(target: Target) -> None:
        answers.append(await ask_over_http(target, question))

    play(folder, server, scene)
    return answers[0]


@pytest.mark.sockets
def test_a_question_over_http_is_jicofos_json(tmp_path: Path) -> None:
    server = Answering([[http(b"{}")]])
    ask(tmp_path, server)
    head, _, body = server.requests[0][1].decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    assert first == "POST /Acme/conference-request/v1 HTTP/1.1"
    assert {"Content-Type: application/json", "Authorization: Bearer abc"} < set(lines)
    assert json.loads(body) == {
        "room": f"r1@conference.acme.{DOMAIN}",
        "machineUid": "m1",
        "properties": PROPERTIES,
    }


@pytest.mark.sockets
def test_who_has_no_token_sends_none(tmp_path: Path) -> None:
    server = Answering([[http(b"{}")]])
    ask(tmp_path, server, Question(RoomName.of("r1")))
    assert b"authorization" not in server.requests[0][1].lower()


def test_every_question_has_a_machine_of_its_own() -> None:
    machines = [Question(RoomName.of("r1")).machine for _ in range(2)]
    assert machines[0] != machines[1] and {len(machine) for machine in machines} == {32}


@pytest.mark.sockets
@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            {"ready": True, "vnode": "v1", "focusJid": "focus@auth"},
            Answer(ready=True, vnode="v1", focus="focus@auth"),
            id="to a vnode",
        ),
        pytest.param({"ready": True}, Answer(ready=True, vnode=None, focus=""), id="here"),
        pytest.param({"ready": False}, Answer(ready=False, vnode=None, focus=""), id="not yet"),
        pytest.param({}, Answer(ready=False, vnode=None, focus=""), id="nothing"),
        pytest.param(
            {"ready": "true", "vnode": "", "focusJid": 7},
            Answer(ready=False, vnode=None, focus="7"),
            id="other types",
        ),
    ],
)
def test_an_answer_over_http(tmp_path: Path, told: object, expected: Answer) -> None:
    assert ask(tmp_path, Answering([[http(json.dumps(told).encode())]])) == expected


@pytest.mark.sockets
@pytest.mark.parametrize(("status", "condition"), [(400, "bad-request"), (403, "not-authorized")])
def test_a_refusal_over_http_is_that_of_xmpp(tmp_path: Path, status: int, condition: str) -> None:
    with pytest.raises(StanzaError) as caught:
        ask(tmp_path, Answering([[http(b"no \xff!", status=status)]]))
    assert (caught.value.condition, caught.value.text) == (condition, "no \ufffd!")
    assert caught.value.message.startswith("The conference request was refused: ")


@pytest.mark.sockets
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(http(b"{}", status=502), "answered with HTTP 502", id="nobody behind nginx"),
        pytest.param(http(b"{}", status=201), "answered with HTTP 201", id="another success"),
        pytest.param(http(b"<html>"), "not JSON: Expecting value", id="a page"),
        pytest.param(http(b"\xff"), "not JSON: 'utf-8' codec", id="bytes"),
        pytest.param(http(b"[]"), "not JSON: 'list' object", id="a list"),
    ],
)
def test_what_is_no_answer(tmp_path: Path, answer: bytes, told: str) -> None:
    with pytest.raises(CrowdError, match=f"^The conference request was .*{told}"):
        ask(tmp_path, Answering([[answer]]))


def ask_a_stream(folder: Path, server: FakeXmpp, question: Question = QUESTION) -> Answer:
    """What Jicofo's answer to a question over XMPP is understood to be."""

    async def main() -> Answer:
        async with asyncio.timeout(10), running(server, folder) as target:
            stream = Stream(
                target,
                domain=DOMAIN,
                door=Door("room=r1"),
                on_stanza=lambda _: None,
                on_lost=lambda _: None,
            )
            await stream.connect()
            await stream.login()
            try:
                return await ask_over_xmpp(stream, target, question)
            finally:
                await stream.close()

    return asyncio.run(main())


@pytest.mark.sockets
def test_a_question_over_xmpp_goes_to_the_focus(tmp_path: Path) -> None:
    server = FakeXmpp(vnode="v1")
    answer = ask_a_stream(tmp_path, server)
    assert answer == Answer(ready=True, vnode="v1", focus="")
    [iq] = [stanza for stanza in server.stanzas if server.stage(stanza) == "conference"]
    assert (iq.get("type"), iq.get("to")) == ("set", f"focus.{DOMAIN}")
    [asked] = iq
    assert asked.attrib == {
        "room": f"r1@conference.acme.{DOMAIN}", "machine-uid": "m1", "token": "abc",
    }  # fmt: skip
    assert {one.get("name"): one.get("value") for one in asked} == PROPERTIES


@pytest.mark.sockets
def test_a_refusal_over_xmpp_names_the_request(tmp_path: Path) -> None:
    server = FakeXmpp({"conference": "error:not-authorized"})
    with pytest.raises(StanzaError, match=r"^The conference request was refused: 'not-auth"):
        ask_a_stream(tmp_path, server)


class Hurried(selectors.SelectSelector):
    """Waits for no time: it only counts the seconds that would have passed."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.passed += timeout or 0.0
        return super().select(0)


class HurriedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock goes as fast as nothing happens."""

    def __init__(self) -> None:
        self.hurried = Hurried()
        super().__init__(self.hurried)

    def time(self) -> float:
        return self.hurried.passed


@pytest.fixture
def loop() -> Iterator[HurriedLoop]:
    loop = HurriedLoop()
    yield loop
    loop.close()


READY = Answer(ready=True, vnode=None, focus="focus@auth")
NOT_YET = Answer(ready=False, vnode=None, focus="focus@auth")


def kinds(recorder: Recorder) -> list[Kind]:
    return [event.kind for event in recorder.events]


def test_who_is_not_answered_yet_asks_again_ever_more_slowly(loop: HurriedLoop) -> None:
    recorder, asked = Recorder("n", NO_PATIENCE), list[float]()
    answers = iter([NOT_YET] * 6 + [READY])

    async def ask() -> Answer:
        asked.append(loop.time())
        return next(answers)

    answer = loop.run_until_complete(ask_until_ready(ask, recorder, focus="focus.x"))
    assert answer == READY
    pauses = [round(after - before, 3) for before, after in pairwise(asked)]
    assert pauses == [*BACK_OFF, BACK_OFF[-1], BACK_OFF[-1]]
    assert kinds(recorder) == [Kind.WAITING] * 6 + [Kind.ANSWERED]


def test_what_it_waits_for_is_told(loop: HurriedLoop) -> None:
    recorder, stages = Recorder("n", NO_PATIENCE), list[str]()

    async def ask() -> Answer:
        stages.append(recorder.stage)
        loop.call_soon(lambda: stages.append(recorder.stage))
        return NOT_YET if len(stages) == 1 else READY

    loop.run_until_complete(ask_until_ready(ask, recorder, focus="focus.x"))
    assert "'focus.x' to answer the conference request" in stages[0]
    assert "'focus.x' to be ready" in stages[1] and "ready='false'" in stages[1]


@pytest.mark.parametrize("vnode", [None, "v2"])
def test_an_answer_is_recorded_with_where_it_leads(loop: HurriedLoop, vnode: str | None) -> None:
    recorder = Recorder("n", NO_PATIENCE)

    async def ask() -> Answer:
        return Answer(ready=True, vnode=vnode, focus="focus@auth")

    loop.run_until_complete(ask_until_ready(ask, recorder, focus="focus.x"))
    answered, *redirected = recorder.events
    assert answered.kind is Kind.ANSWERED
    assert answered.details == {"vnode": vnode or "", "focus": "focus@auth"}
    expected = [] if vnode is None else [(Kind.REDIRECTED, {"vnode": vnode})]
    assert [(event.kind, event.details) for event in redirected] == expected
