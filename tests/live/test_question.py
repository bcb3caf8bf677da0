"""What nodes are asked; the script runs in the shell of a node."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core.waiting import NO_PATIENCE
from labctl.live import question
from labctl.live.question import Ask, logs_of, render_question
from labctl.node.sections import parse_sections
from labctl.topology.layout import resolve
from labctl.topology.model import Node
from labctl.topology.spec import Spec, VisitorsLayout

TOPOLOGY = resolve(Spec(lab="demo", jvbs=1, visitors=2))
BY_NAME = {node.name: node for node in TOPOLOGY.nodes}


def asked(node: Node, ask: Ask) -> str:
    return render_question(node, ask, patience=NO_PATIENCE).text


@pytest.mark.parametrize(
    ("node", "has", "lacks"),
    [
        ("jms", ["/stats", "/debug", ":8080/metrics", "prosody.log", "jvb.log"], ["clients"]),
        ("jvb1", [":8080/metrics", "jvb.log"], ["/stats", "clients", "prosody"]),
        ("visitors1", ["sport = :52801", "sport = :52692", "dport = :5269"], ["metrics", "8888"]),
    ],
)
def test_a_node_is_asked_for_what_it_runs(node: str, has: list[str], lacks: list[str]) -> None:
    text = asked(BY_NAME[node], Ask(now=1.0))
    assert [word for word in has if word not in text] == []
    assert [word for word in lacks if word in text] == []


def test_vnodes_on_the_jms_are_asked_there() -> None:
    local = resolve(Spec(lab="demo", jvbs=0, visitors=2, visitors_layout=VisitorsLayout.LOCAL))
    assert "sport = :52802" in asked(local.jms, Ask(now=1.0))


def test_what_costs_more_is_asked_only_when_it_is_wanted() -> None:
    slow, quick = asked(TOPOLOGY.jms, Ask(1.0)), asked(TOPOLOGY.jms, Ask(1.0, slow=False))
    for words in ("STAND-IN", "tac ", "Error initializing module"):
        assert words in slow and words not in quick


@pytest.mark.programs
def test_names_of_rooms_are_words_of_the_shell(tmp_path: Path) -> None:
    """A room whose name is a command runs nothing, and its answer keeps its name."""
    room = f'a\'; touch {tmp_path}/ran; echo "$(touch {tmp_path}/ran)" *@conference.x'
    text = asked(TOPOLOGY.jms, Ask(now=1.0, slow=False, rooms=(room,)))
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=30)
    assert not (tmp_path / "ran").exists()
    assert room in parse_sections(done.stdout).family("room")


def test_only_the_largest_rooms_are_asked_for() -> None:
    rooms = tuple(f"room{i:03}@x" for i in range(100))
    text = asked(TOPOLOGY.jms, Ask(now=1.0, rooms=rooms))
    assert text.count("/debug/conference/") == question.MOST_ROOMS


@pytest.mark.programs
@pytest.mark.parametrize(
    ("offset", "seen"),
    [(-1, ["one", "two"]), (0, ["one", "two"]), (39, ["two"]), (10_000, ["one", "two"])],
    ids=["first time", "from the beginning", "what is new", "a log that was begun anew"],
)
def test_a_log_is_read_on_from_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset: int, seen: list[str]
) -> None:
    log = tmp_path / "jvb.log"
    first = "JVB 2026-11-29 09:00:00.500 SEVERE: one\n"[:39] + "\n"
    log.write_text(f"{first}an ordinary line\nJVB 2026-11-29 09:00:01.500 WARNING: two\n")
    monkeypatch.setattr(question, "logs_of", lambda _: {str(log): " (WARNING|SEVERE): "})
    text = asked(BY_NAME["jvb1"], Ask(now=1.0, slow=False, offsets={str(log): offset}))
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, timeout=30)
    [(title, lines)] = parse_sections(done.stdout).family("log").items()
    assert title == f"{log} {log.stat().st_size}"
    assert [line.rpartition(" ")[2] for line in lines] == seen


def test_every_log_of_a_lab_has_its_pattern() -> None:
    files = {name: list(logs_of(node)) for name, node in BY_NAME.items()}
    assert files == {
        "jms": [
            "/var/log/prosody/prosody.log",
            "/var/log/nginx/error.log",
            "/var/log/jitsi/jicofo.log",
            "/var/log/jitsi/jvb.log",
        ],
        "jvb1": ["/var/log/jitsi/jvb.log"],
        "visitors1": ["/var/log/prosody-v1/prosody.log", "/var/log/prosody-v2/prosody.log"],
    }


def test_turn_changes_nothing() -> None:
    """coturn has no log that matters; its node is asked all the same."""
    assert logs_of(replace(TOPOLOGY.jms, turn=True)) == logs_of(TOPOLOGY.jms)
