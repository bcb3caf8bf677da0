"""Participants in a real browser, on the lab of this folder: they hear and see each other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labctl.browser import Snapshot
from labctl.browser.sync import SyncBrowserParticipant, SyncBrowsers, browsers_in
from labctl.crowd import Target
from labctl.topology.lab import Lab as Loaded
from labctl.topology.workdir import Workdir
from tests.labs.conftest import Lab

pytestmark = [pytest.mark.lab, pytest.mark.browser]

LIMIT = 3
BRIDGE = "jitsi-videobridge2"
MEDIA = 30.0  # seconds; a loaded machine decodes its first frame late
MOVED = 40.0


@pytest.fixture(scope="module")
def small(lab: Lab) -> Iterator[Lab]:
    """The lab with room for three main participants."""
    lab.run("up", "--max-participants", str(LIMIT))
    yield lab
    lab.run("up", "--max-participants", "30")


@pytest.fixture
def browsers(small: Lab) -> Iterator[SyncBrowsers]:
    with browsers_in(Target.of(Loaded.load(Workdir(small.path)))) as opened:
        yield opened


def figures(seen: Snapshot, owners: list[str]) -> dict[str, float]:
    """What grows while somebody is heard and seen, for each of the owners."""
    found: dict[str, float] = {}
    for owner in owners:
        video, audio = seen.track(owner, "video"), seen.track(owner, "audio")
        found[f"{owner} frames"] = video.frames_decoded if video else 0
        found[f"{owner} energy"] = audio.audio_energy if audio else 0.0
    return found


def wait_perceived(one: SyncBrowserParticipant, owners: list[str], *, deadline: float) -> Snapshot:
    """Until everything has grown since a first look: being there once is not enough."""
    first = figures(one.snapshot(), owners)

    def grown(seen: Snapshot) -> bool:
        now = figures(seen, owners)
        return all(now[name] > max(value, 0.0) for name, value in first.items())

    return one.wait_until(grown, deadline=deadline, what=f"hear and see {owners}")


@contextmanager
def stopped(lab: Lab, node: str) -> Iterator[None]:
    """The node's bridge stopped; when the lab has its limit back, it is in the brewery again."""
    lab.run("exec", node, "--", "sudo", "systemctl", "stop", BRIDGE)
    try:
        yield
    finally:
        lab.run("exec", node, "--", "sudo", "systemctl", "start", BRIDGE)


def bridge_node(lab: Lab, seen: Snapshot) -> str:
    """The node whose bridge a participant's media goes through."""
    assert seen.pair is not None
    address = seen.pair.remote.address
    return str(next(n["name"] for n in lab.topology()["nodes"] if n["address"] == address))


def test_a_call_a_visitor_and_a_bridge_that_stops(small: Lab, browsers: SyncBrowsers) -> None:
    people = [browsers.join("browsers") for _ in range(LIMIT)]
    nicks = [one.nick for one in people]
    for one in people:
        others = [nick for nick in nicks if nick != one.nick]
        seen = wait_perceived(one, others, deadline=MEDIA)
        assert seen.vnode is None
        assert seen.pair is not None and seen.pair.remote.port == 10000
        assert seen.pair.dtls == "connected"

    visitor = browsers.join("browsers")
    seen = wait_perceived(visitor, nicks, deadline=MEDIA)
    assert seen.vnode is not None and not seen.sent
    assert {one.owner for one in people[0].snapshot().received} == set(nicks[1:]), "it is heard"

    # The visitor leaves, so that what follows is about the call alone.
    visitor.leave()
    before = people[0].snapshot()
    node = bridge_node(small, before)
    with stopped(small, node):
        for one in people:
            others = [nick for nick in nicks if nick != one.nick]
            one.wait_until(lambda s: bool(s.last("reinvited")), deadline=MOVED, what="be moved")
            seen = wait_perceived(one, others, deadline=MEDIA)
            assert bridge_node(small, seen) != node
            words = [event.kind for event in seen.events]
            assert words.index("terminated") < words.index("reinvited")
            # Sound and picture stopped for as long as the move took, and the figures say so.
            assert all(0.1 < track.longest_gap < MOVED for track in seen.received)


def test_the_command_judges_and_takes_pictures(small: Lab, tmp_path: Path) -> None:
    ended = small.run(
        "crowd", "--browsers", "2", "--hold", "2", "--report", str(tmp_path), "--json"
    )
    told = json.loads(ended.out)
    assert told["lacks"] == {}
    assert [len(one["received"]) for one in told["browsers"]] == [2, 2]
    pictures = sorted(path.name for path in tmp_path.iterdir())
    assert pictures == sorted(f"browser-{one['nick']}.png" for one in told["browsers"])
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in pictures)
