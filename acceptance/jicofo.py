"""Jicofo's REST interface on the JMS, asked over ssh, and waiting for what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from acceptance import remote
from acceptance.remote import Machine
from labctl.core.waiting import Patience, wait_until
from labctl.drills.jicofo import parse_marks
from labctl.drills.model import Mark
from labctl.node.jicofo import (
    DEBUG,
    LOG,
    STATS,
    Bridge,
    BridgeSession,
    Metrics,
    Stats,
    conference_path,
    parse_bridges,
    parse_conference,
    parse_metrics,
    parse_stats,
    render_get,
    render_get_metrics,
)

T = TypeVar("T")


def ask(jms: Machine, path: str) -> str:
    """What Jicofo answers to a GET; empty if it does not."""
    return str(remote.run(jms, render_get(path, patience=jms.patience)).stdout)


def stats(jms: Machine) -> Stats:
    """Jicofo's figures of now; none are known where it does not answer."""
    return parse_stats(ask(jms, STATS)) or Stats()


def metrics(jms: Machine) -> Metrics:
    """What Jicofo tells those who watch it over time."""
    return parse_metrics(str(remote.run(jms, render_get_metrics(jms.patience)).stdout))


def counts(jms: Machine) -> tuple[int, int]:
    """How many bridges Jicofo knows, and how many of them work; -1 if it does not say."""
    found = stats(jms)
    known, working = (-1 if n is None else n for n in (found.bridges, found.operational))
    return known, working


def bridges(jms: Machine) -> dict[str, Bridge]:
    """Jicofo's bridges by nick."""
    return parse_bridges(ask(jms, DEBUG))


def sessions(jms: Machine, room_jid: str) -> dict[str, BridgeSession]:
    """Jicofo's session of a conference on each bridge, by the bridge's nick."""
    return parse_conference(ask(jms, conference_path(room_jid)))


def log_size(jms: Machine) -> int:
    """Bytes of Jicofo's log: a place in it, for `added_since`."""
    return int(remote.run(jms, "stat -c %%s %s", LOG).stdout)


def added_since(jms: Machine, offset: int) -> frozenset[str]:
    """Nicks of the bridges that Jicofo found in the brewery after this place in its log.

    Counts of bridges only tell what is; a loss and a return between two looks leave these lines.
    """
    text = remote.run(jms, "tail -c +%s %s", str(offset + 1), LOG).stdout
    return frozenset(who for _, mark, who, _ in parse_marks(text) if mark is Mark.BRIDGE_ADDED)


def why_not_operational(jms: Machine, nick: str) -> str:
    """What Jicofo last logged of a bridge's health, or that it never came or is gone."""
    script = (
        f'grep -F -e "/$1," -e "/$1" {LOG} | grep -E -e \'ealth.check\' '
        "-e 'Added new videobridge' -e 'Lost a bridge' -e 'Removing JVB' -e SHUTTING_DOWN "
        "| tail -n 2"
    )
    lines = remote.run(jms, "sh -c %s sh %s", script, nick).stdout.strip()
    return f"Jicofo's last words on bridge '{nick}': {lines or 'none, it never joined'}"


def bridges_of(jms: Machine, room_jid: str) -> set[str]:
    """Nicks of the bridges that a conference is on."""
    return set(sessions(jms, room_jid))


def wait_value(
    look: Callable[[], T],
    expected: T,
    *,
    seconds: float,
    patience: Patience,
    interval: float = 0.2,
) -> T:
    """Look until the value is the expected one or the deadline passed; the value last seen.

    A look that asks no node may come more often: `interval` is in seconds.
    """
    last: list[T] = []

    def check() -> bool:
        last.append(look())
        return last[-1] == expected

    wait_until(check, deadline=patience.deadline(seconds), interval=interval)
    return last[-1]
