"""Jicofo's REST interface on the JMS, asked over ssh, and waiting for what it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from testinfra.host import Host

from acceptance import remote
from labctl.drills.jicofo import LOG, parse_marks
from labctl.drills.model import Mark
from labctl.waiting import Deadline, wait_until, whole

T = TypeVar("T")


def ask(jms: Host, path: str) -> Mapping[str, Any]:
    """`GET http://127.0.0.1:8888<path>` on the JMS; empty where Jicofo does not answer."""
    result = remote.run(jms, f"curl -sf --max-time {whole(5)} http://127.0.0.1:8888%s", path)
    try:
        data = json.loads(result.stdout)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def counts(jms: Host) -> tuple[int, int]:
    """How many bridges Jicofo knows, and how many of them work."""
    selector = ask(jms, "/stats").get("bridge_selector", {})
    return selector.get("bridge_count", -1), selector.get("operational_bridge_count", -1)


def bridges(jms: Host) -> dict[str, Mapping[str, Any]]:
    """Jicofo's bridges by nick, from /debug."""
    found = ask(jms, "/debug").get("bridge_selector", {}).get("bridge", {})
    return {jid.rpartition("/")[2]: facts for jid, facts in found.items()}


def log_size(jms: Host) -> int:
    """Bytes of Jicofo's log: a place in it, for `added_since`."""
    return int(remote.run(jms, "stat -c %%s %s", LOG).stdout)


def added_since(jms: Host, offset: int) -> frozenset[str]:
    """Nicks of the bridges that Jicofo found in the brewery after this place in its log.

    Counts of bridges only tell what is; a loss and a return between two looks leave these lines.
    """
    text = remote.run(jms, "tail -c +%s %s", str(offset + 1), LOG).stdout
    return frozenset(who for _, mark, who, _ in parse_marks(text) if mark is Mark.BRIDGE_ADDED)


def why_not_operational(jms: Host, nick: str) -> str:
    """What Jicofo last logged of a bridge's health, or that it never came or is gone."""
    script = (
        f'grep -F -e "/$1," -e "/$1" {LOG} | grep -E -e \'ealth.check\' '
        "-e 'Added new videobridge' -e 'Lost a bridge' -e 'Removing JVB' -e SHUTTING_DOWN "
        "| tail -n 2"
    )
    lines = remote.run(jms, "sh -c %s sh %s", script, nick).stdout.strip()
    return f"Jicofo's last words on bridge '{nick}': {lines or 'none, it never joined'}"


def bridges_of(jms: Host, room_jid: str) -> set[str]:
    """Nicks of the bridges that a conference is on, from /debug/conference."""
    manager = ask(jms, f"/debug/conference/{room_jid}").get("colibri_session_manager", {})
    return set(manager.get("sessions", {}))


def wait_value(look: Callable[[], T], expected: T, *, seconds: float) -> T:
    """Look until the value is the expected one or the deadline passed; the value last seen."""
    last: list[T] = []

    def check() -> bool:
        last.append(look())
        return last[-1] == expected

    wait_until(check, deadline=Deadline.after(seconds), interval=0.2)
    return last[-1]
