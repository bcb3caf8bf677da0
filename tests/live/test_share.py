"""What a class sees of a lab, and what it does not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.live.model import Advice, NodeMood
from labctl.live.share import HIDDEN, NO_ANSWER, ClassSource, host_words, share
from labctl.live.site import Site
from labctl.topology.lab import Lab
from tests.live.make import FakeSource, make_line, make_node, make_snapshot

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJyb29tIjoiKiJ9.c2lnbmF0dXJl"


def test_what_ssh_says_of_this_machine_is_left_out() -> None:
    why = "Bad owner on /home/trainer/.ssh/config"
    shown = share(
        make_snapshot(
            nodes=(make_node("jms"), make_node("jvb1", mood=NodeMood.STALE, error=why)),
            missing={"jvb1 answers": f"{why}; last heard 31 s ago", "vnodes": "no v3"},
        )
    )
    assert [node.error for node in shown.nodes] == ["", NO_ANSWER]
    assert shown.missing == {"jvb1 answers": NO_ANSWER, "vnodes": "no v3"}
    assert "trainer" not in json.dumps(shown.to_json())


def test_the_cure_of_an_exercise_is_not_told() -> None:
    cure = Advice("jvb1", "A firewall is closed.", "labctl exec jvb1 -- nft flush", "x.md")
    assert share(make_snapshot(advice=(cure,))).advice == ()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Error verifying token: {TOKEN} is old", f"Error verifying token: {HIDDEN} is old"),
        ('"/xmpp-websocket?room=a&token=abc.d"', f'"/xmpp-websocket?room=a&token={HIDDEN}"'),
        ("Lost a bridge: jvb1", "Lost a bridge: jvb1"),
    ],
)
def test_tokens_are_taken_out_of_lines(text: str, shown: str) -> None:
    [line] = share(make_snapshot(lines=(make_line(text),))).lines
    assert line.text == shown


def test_the_requests_of_people_are_not_shown() -> None:
    """nginx's log has their addresses."""
    lines = (make_line("Lost a bridge"), replace(make_line("client: 10.1.2.3"), source="nginx"))
    assert [line.text for line in share(make_snapshot(lines=lines)).lines] == ["Lost a bridge"]


def test_folders_of_this_machine_are_in_nothing(lab: Lab) -> None:
    folder = str(lab.folder.path)
    lab.folder.path.mkdir(parents=True, exist_ok=True)
    (lab.folder.path / "exercise.md").write_text(f"Look into {folder}/ca.")
    (lab.folder.path / "crowd.json").write_text("no JSON")
    source = FakeSource([make_snapshot(lines=(make_line(f"wrote {folder}/x"),))])
    site = Site(ClassSource(source), lab.folder, hidden=host_words(lab))
    for path in ("/api/state", "/api/records"):
        body = site.find(path)
        assert body is not None and folder not in body.data.decode()
        assert "[secret]" in body.data.decode()
    assert str(Path.home()) in host_words(lab)
