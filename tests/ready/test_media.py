"""The last signal: sound through every bridge, and what is said where it does not pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.plain import to_plain
from labctl.core.progress import silent
from labctl.core.state import save_state
from labctl.crowd.media import MediaProblem, MediaStage
from labctl.crowd.sync import wait
from labctl.crowd.target import Target
from labctl.ready import media
from labctl.ready import wait as waits
from labctl.ready.media import prove_media
from labctl.ready.record import load_record, save_record
from labctl.ready.wait import NotReadyError, wait_media
from labctl.render.secrets import SECRETS, ensure_secrets, load_secrets
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from tests.crowd.media.fakebrewery import FakeBrewery, brewing
from tests.crowd.media.fakebridge import FakeBridge

pytestmark = pytest.mark.sockets


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A lab with the bridges 'jvb' and 'jvb1', whose secrets are those of the fake."""
    folder = Workdir.of("demo", root=tmp_path)
    made = ensure_secrets(folder, vnodes=())
    save_state(folder.secrets_file, SECRETS, to_plain(replace(made, jvb_password="secret")))
    return Lab(folder, resolve(Spec(lab="demo", jvbs=1, visitors=0)))


@pytest.fixture
def server() -> FakeBrewery:
    return FakeBrewery(bridges={"jvb": FakeBridge(), "jvb1": FakeBridge()})


@pytest.fixture(autouse=True)
def door(server: FakeBrewery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The fake is the lab's door."""
    monkeypatch.setattr(media, "ATTEMPT_SECONDS", 1.5)
    monkeypatch.setattr(media, "ANSWER_SECONDS", 0.5)
    running = brewing(server, tmp_path)
    target = wait(running.__aenter__())
    monkeypatch.setattr(Target, "of", lambda _: target)
    yield
    wait(running.__aexit__(None, None, None))


def test_a_lab_through_whose_bridges_sound_passes(lab: Lab) -> None:
    told: list[str] = []
    proof = prove_media(
        lab, seconds=5, progress=lambda phase, message, node=None: told.append(message)
    )
    assert proof.passed
    assert set(proof.bridges) == {"jvb", "jvb1"}
    assert all(one.reaches and one.reaches[0].reachable for one in proof.bridges.values())
    assert len([line for line in told if line.startswith("media through bridge 'jvb")]) == 2
    assert any("two participants hear each other" in line for line in told)


def test_one_bridge_that_is_silent_is_named(lab: Lab, server: FakeBrewery) -> None:
    server.bridges["jvb1"].candidates = [("127.0.0.1", 9, "udp")]
    proof = prove_media(lab, seconds=0.5, progress=silent)
    [problem] = proof.problems
    assert isinstance(problem, MediaProblem)
    assert (problem.bridge, problem.address, problem.port) == ("jvb1", "127.0.0.1", 9)
    assert problem.stage is MediaStage.NO_ANSWER


def test_a_silent_bridge_does_not_keep_others_from_their_turn(
    lab: Lab, server: FakeBrewery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "at_once", lambda: 1)
    server.bridges["jvb"].candidates = [("127.0.0.1", 9, "udp")]
    proof = prove_media(lab, seconds=0.2, progress=silent)
    assert proof.bridges["jvb"].problem is not None
    assert proof.bridges["jvb1"].problem is None


def test_an_address_that_nobody_can_reach_is_named_although_media_passes(
    lab: Lab, server: FakeBrewery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bridge with two addresses, one of them wrong."""
    told = server.bridges["jvb1"]

    async def endpoint(nick: str) -> object:
        made = await FakeBridge.endpoint(told, nick)
        told.candidates = [made.address, ("127.0.0.1", 9, "udp")]
        return made

    monkeypatch.setattr(told, "endpoint", endpoint)
    proof = prove_media(lab, seconds=0.5, progress=silent)
    [problem] = proof.problems
    assert isinstance(problem, MediaProblem)
    assert (problem.bridge, problem.port, problem.stage) == ("jvb1", 9, MediaStage.NO_ANSWER)


def test_what_passes_at_the_second_try_has_passed(
    lab: Lab, server: FakeBrewery, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refusing = {"jvb1"}
    before = FakeBrewery.on_colibri

    async def once(self: FakeBrewery, ws: object, stanza: object, nick: str) -> None:
        await before(self, ws, stanza, nick)  # type: ignore[arg-type]
        self.refusing.clear()

    monkeypatch.setattr(FakeBrewery, "on_colibri", once)
    assert prove_media(lab, seconds=5, progress=silent).passed


def test_a_call_that_jicofo_does_not_invite_to_is_a_problem(lab: Lab, server: FakeBrewery) -> None:
    server.invite = False
    proof = prove_media(lab, seconds=0.5, progress=silent)
    assert [one.problem for one in proof.bridges.values()] == [None, None]
    assert proof.call is not None and "was not invited" in proof.call.message


def test_a_brewery_that_cannot_be_entered_fails_every_bridge(lab: Lab) -> None:
    wrong = replace(load_secrets(lab.folder), jvb_password="wrong")
    save_state(lab.folder.secrets_file, SECRETS, to_plain(wrong))
    proof = prove_media(lab, seconds=0.5, progress=silent)
    said = {nick: one.problem for nick, one in proof.bridges.items()}
    assert [error is not None and "not-authorized" in error.message for error in said.values()] == [
        True,
        True,
    ]


def test_not_ready_says_where_and_why_and_is_noted(
    lab: Lab, server: FakeBrewery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "explain", lambda lab, problem: ["A rule drops it."])
    save_record(lab.folder, {"jvb1": ""}, by="up")
    passed = load_record(lab.folder).of("jvb1").passed
    server.bridges["jvb1"].candidates = [("127.0.0.1", 9, "udp")]
    with pytest.raises(NotReadyError) as caught:
        wait_media(lab, seconds=0.5, by="drill", progress=silent)
    assert caught.value.message.splitlines()[1:] == [
        "    media: No media through bridge 'jvb1' 127.0.0.1:9: no answer: no check was answered.",
        "        A rule drops it.",
    ]
    record = load_record(lab.folder)
    assert (record.of("jvb").well, record.of("jvb1").well) == (True, False)
    assert (record.of("jvb1").passed, record.of("jvb1").by) == (passed, "drill")
    assert "127.0.0.1:9" in record.of("jvb1").problem
