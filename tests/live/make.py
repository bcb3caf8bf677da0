"""Snapshots that were made up, and a source that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from labctl.live.model import (
    Group,
    LiveBridge,
    LiveConference,
    LiveNode,
    LiveVNode,
    NodeMood,
    Person,
    Present,
    Snapshot,
    Totals,
    Traffic,
)
from labctl.live.source import Sample
from labctl.report.lines import LogLine

AT = 1795943444.0
ROOM = "demo@conference.meet.lab.internal"
HOSTILE = "<img src=x onerror=alert(1)>\x1b[2J\u202e&amp;'\"@conference.meet.lab.internal"


def make_node(name: str, **changed: Any) -> LiveNode:
    """A node that is fine."""
    units = {"nftables.service": "active (exited)", f"{name}.service": "active (running)"}
    role = "jvb" if name.startswith("jvb") else name.rstrip("0123456789")
    fine = LiveNode(name, role, "192.168.56.105", NodeMood.FINE, age=0.4, units=units)
    return replace(fine, **changed)


def make_bridge(nick: str, node: str = "", **changed: Any) -> LiveBridge:
    """A bridge that has a call."""
    fine = LiveBridge(
        nick, node or nick, stale=False, in_brewery=True, operational=True, healthy=True,
        stress=0.25, conferences=1, endpoints=4, visitors=0,
        traffic=Traffic(120, 360, 2_500_000, 7_500_000),
        present=Present((Group(ROOM, ("abcd0000", "abcd0001", "abcd0002", "abcd0003")),)),
    )  # fmt: skip
    return replace(fine, **changed)


def make_vnode(index: int, **changed: Any) -> LiveVNode:
    """A vnode that is linked."""
    fine = LiveVNode(
        f"v{index}", "visitors1", f"prosody-v@{index}.service", stale=False, active=True,
        registered=True, clients=index, s2s_in=1, s2s_out=0,
        present=Present((Group(ROOM, ("abcd0003",)),), left_out=1949) if index == 1 else Present(),
    )  # fmt: skip
    return replace(fine, **changed)


def make_line(text: str, *, node: str = "jms", level: str = "info", at: float = AT) -> LogLine:
    return LogLine(at, True, node, "jicofo", level, text)


def _person(index: int, bridge: str) -> Person:
    """The last two of five are visitors, the first of whom Jicofo has invited."""
    return Person(f"abcd000{index}", bridge, index > 2, "v1" if index == 3 else "")


def make_snapshot(*, jvbs: int = 2, vnodes: int = 8, **changed: Any) -> Snapshot:
    """A healthy lab with a conference."""
    bridges = [f"jvb{index + 1}" for index in range(jvbs)]
    people = tuple(_person(i, bridges[0] if bridges else "jvb") for i in range(5))
    made = Snapshot(
        lab="demo", at=AT, domain="meet.lab.internal", network="192.168.56.0/24",
        provider="docker", relays=False, healthy=True, stand_ins=("jicofo", "jitsi-videobridge2"),
        totals=Totals(1, 5, 2, 0, 0),
        nodes=(
            make_node("jms"),
            *map(make_node, bridges),
            *([make_node("visitors1")] if vnodes else []),
        ),
        bridges=(make_bridge("jvb", "jms"), *map(make_bridge, bridges)),
        vnodes=tuple(make_vnode(index + 1) for index in range(vnodes)),
        conferences=(
            LiveConference(ROOM, 5, 2, {"jvb1": 5}, people),
        ),
        lines=(make_line("Added new videobridge"), make_line("Lost a bridge", level="warning")),
    )  # fmt: skip
    return replace(made, **changed)


def make_broken() -> Snapshot:
    """A lab in which several things do not work, with names from strangers."""
    whole = make_snapshot()
    return replace(
        whole,
        healthy=False,
        missing={"jvb2 answers": "no answer within 6 s; last heard 31 s ago", "vnodes": "no v3"},
        drill="bridge-hang",
        nodes=(
            whole.nodes[0],
            make_node("jvb1", mood=NodeMood.TROUBLED, idle_units=("jvb1.service",)),
            make_node("jvb2", mood=NodeMood.STALE, age=31.0, error="no answer within 6 s"),
            make_node("visitors1", mood=NodeMood.SILENT, age=None, units={}, error="refused"),
        ),
        bridges=(
            make_bridge("jvb", "jms", draining=True),
            make_bridge("jvb1", in_brewery=False, operational=False),
            make_bridge("jvb2", stale=True, healthy=False, stress=None, traffic=None),
        ),
        vnodes=(make_vnode(1), make_vnode(2, active=False), make_vnode(3, registered=False)),
        conferences=(LiveConference(HOSTILE, 3, 1, {"jvb": 2}, (Person(HOSTILE, "jvb"),)),),
        more_conferences=7,
        lines=(make_line(f"Created {HOSTILE}", level="error"),),
    )


@dataclass(slots=True)
class FakeSource:
    """Shows one snapshot after the other; the last one stays."""

    snapshots: Sequence[Snapshot]
    shown: int = 0
    load: tuple[Sample, ...] = ()
    asked: list[float] = field(default_factory=list)

    def snapshot(self) -> Snapshot:
        found = self.snapshots[min(self.shown, len(self.snapshots) - 1)]
        self.shown += 1
        return found

    def samples(self) -> tuple[Sample, ...]:
        return self.load
