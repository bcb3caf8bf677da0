"""The tables of a snapshot: titles, columns and rows of words, for every view that shows text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from labctl.live.model import LiveBridge, LiveNode, LiveVNode, NodeMood, Present, Snapshot

MOST_NAMED = 3
"""People who are named in a row of a table."""


class Tone(StrEnum):
    """How a row is meant; its words say the same, so a view without colours loses nothing."""

    PLAIN = "plain"
    BAD = "bad"
    OLD = "old"


@dataclass(frozen=True, slots=True)
class Row:
    """A row; `key` says which thing it is about, `node` where that runs."""

    key: str
    cells: tuple[str, ...]
    tone: Tone = Tone.PLAIN
    node: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `empty` is what to say where there are no rows."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    empty: str = ""


MOODS: Mapping[NodeMood, tuple[str, Tone]] = {
    NodeMood.ASKED: ("asking ...", Tone.OLD),
    NodeMood.FINE: ("fine", Tone.PLAIN),
    NodeMood.TROUBLED: ("TROUBLE", Tone.BAD),
    NodeMood.STALE: ("STALE", Tone.BAD),
    NodeMood.SILENT: ("SILENT", Tone.BAD),
}


def tables(snapshot: Snapshot) -> tuple[Table, ...]:
    """All tables, in the order in which they are shown."""
    found = [
        Table("Nodes", ("node", "state", "units", "address"), tuple(map(_node, snapshot.nodes))),
        Table(
            "Bridges",
            ("bridge", "state", "stress", "conf", "people", "in", "out", "who"),
            tuple(map(_bridge, snapshot.bridges)),
        ),
    ]
    if snapshot.vnodes:
        columns = ("vnode", "state", "clients", "s2s in/out", "node", "who")
        found.append(Table("Vnodes", columns, tuple(map(_vnode, snapshot.vnodes))))
    found.append(
        Table(
            "Conferences",
            ("room", "people", "visitors", "bridges"),
            tuple(_conferences(snapshot)),
            empty="No conference.",
        )
    )
    return tuple(found)


def _node(node: LiveNode) -> Row:
    word, tone = MOODS[node.mood]
    if node.mood is NodeMood.STALE and node.age is not None:
        word = f"{word} {node.age:.0f} s"
    return Row(node.name, (node.name, word, _units(node), node.address), tone, node.name)


def _units(node: LiveNode) -> str:
    if not node.units:
        return node.error or "-"
    total, idle = len(node.units), len(node.idle_units)
    again = f", {node.restarts} restarts" if node.restarts else ""
    if not idle:
        return f"{total} active{again}"
    return f"{total - idle} of {total} active{again}; not {', '.join(node.idle_units)}"


def _bridge(bridge: LiveBridge) -> Row:
    word = bridge_word(bridge)
    bad = not bridge.operational or bridge.healthy is False or bool(bridge.media.problem)
    tone = Tone.BAD if bad else Tone.OLD if bridge.stale else Tone.PLAIN
    traffic = bridge.traffic
    return Row(
        bridge.nick,
        (
            bridge.nick,
            word,
            "-" if bridge.stress is None else f"{bridge.stress:.2f}",
            count_word(bridge.conferences),
            count_word(bridge.endpoints),
            rate_word(traffic.bits_in) if traffic else "-",
            rate_word(traffic.bits_out) if traffic else "-",
            present_word(bridge.present),
        ),
        tone,
        bridge.node,
    )


def bridge_word(bridge: LiveBridge) -> str:
    """The state of a bridge in words."""
    words = []
    if not bridge.in_brewery:
        words.append("NOT in the brewery")
    elif not bridge.operational:
        words.append("NOT operational")
    if bridge.healthy is False:
        words.append("unhealthy")
    if bridge.shutting_down:
        words.append("shutting down")
    elif bridge.draining:
        words.append("draining")
    if bridge.media.problem:
        words.append("media FAILED")
    if bridge.stale:
        words.append("stale")
    return ", ".join(words) or "operational"


def _vnode(vnode: LiveVNode) -> Row:
    word = vnode_word(vnode)
    bad = not (vnode.active and vnode.registered)
    tone = Tone.BAD if bad else Tone.OLD if vnode.stale else Tone.PLAIN
    links = f"{count_word(vnode.s2s_in)}/{count_word(vnode.s2s_out)}"
    who = present_word(vnode.present)
    cells = (vnode.name, word, count_word(vnode.clients), links, vnode.node, who)
    return Row(vnode.name, cells, tone, vnode.node)


def vnode_word(vnode: LiveVNode) -> str:
    """The state of a vnode in words."""
    words = [] if vnode.active else ["NOT active"]
    if not vnode.registered:
        words.append("NOT registered")
    if vnode.stale:
        words.append("stale")
    return ", ".join(words) or "registered"


def present_word(present: Present) -> str:
    """The first people who are somewhere, and how many more are."""
    ids = [id for group in present.groups for id in group.ids]
    more = len(ids) - MOST_NAMED + present.left_out
    named = ", ".join(ids[:MOST_NAMED])
    return f"{named}, {more} more" if more > 0 else named or "-"


def _conferences(snapshot: Snapshot) -> Iterator[Row]:
    for it in snapshot.conferences:
        bridges = ", ".join(f"{nick} {count}" for nick, count in it.bridges.items()) or "-"
        cells = (it.room, str(it.participants), str(it.visitors), bridges)
        yield Row(it.room, cells)
    if snapshot.more_conferences:
        yield Row("", (f"and {snapshot.more_conferences} more", "", "", ""), Tone.OLD)


def count_word(count: int | None) -> str:
    return "-" if count is None else str(count)


def rate_word(bits: float) -> str:
    """Bits per second for people."""
    for unit, size in (("Gb/s", 1e9), ("Mb/s", 1e6), ("kb/s", 1e3)):
        if bits >= size:
            return f"{bits / size:.1f} {unit}"
    return f"{bits:.0f} b/s"


def headline(snapshot: Snapshot) -> str:
    """The lab's state in one line."""
    if not snapshot.complete:
        state = "asking its nodes ..."
    elif snapshot.healthy:
        state = "healthy"
    else:
        state = f"NOT healthy ({len(snapshot.missing)} missing)"
    drill = f"; drill '{snapshot.drill}' is not over" if snapshot.drill else ""
    return f"Lab '{snapshot.lab}': {state}{drill}"


def totals_line(snapshot: Snapshot) -> str:
    """Jicofo's figures in one line."""
    totals = snapshot.totals
    if totals.participants is None:
        return "Jicofo does not answer." if snapshot.complete else ""
    return (
        f"conferences: {count_word(totals.conferences)}, participants: {totals.participants}, "
        f"of them {count_word(totals.visitors)} visitors; {count_word(totals.moved)} moved, "
        f"{count_word(totals.lost_bridges)} bridges lost"
    )


def stand_in_line(snapshot: Snapshot) -> str:
    """A line that says that packages are not Jitsi's; empty if they are."""
    if not snapshot.stand_ins:
        return ""
    return f"STAND-INS, not Jitsi's software: {', '.join(snapshot.stand_ins)}"
