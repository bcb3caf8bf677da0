"""What each node says of itself, gathered by one command per node and session.

A test reads facts and asks nothing over ssh itself, except where it must wait for a change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from acceptance import remote, scripts
from acceptance.remote import Machine
from labctl.core.waiting import Patience
from labctl.node.jicofo import VERSION, render_get
from labctl.node.script import ShellScript, sectioned
from labctl.node.sections import Sections, parse_sections
from labctl.ready.units import SHOW, UnitState, parse_units
from labctl.topology import roles
from labctl.topology.model import Node

TIME = "%Y %b %d %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket: protocol, address, port, and the user that opened it.

    The kernel tells the socket's user to everybody; which process holds it, it does not tell
    root in a container (that takes CAP_SYS_PTRACE).
    """

    proto: str
    address: str
    port: int
    user: str

    @property
    def on_loopback(self) -> bool:
        return self.address.startswith("127.") or self.address == "[::1]"


@dataclass(frozen=True, slots=True)
class Facts:
    """A node's answer, by its own clock; `sections` holds what is read as text."""

    node: str
    clock: datetime
    units: Mapping[str, UnitState] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    processes: tuple[tuple[str, str], ...] = ()
    """User and command line of every process."""
    sections: Sections = field(default_factory=Sections)

    def lines(self, section: str) -> tuple[str, ...]:
        return tuple(line for line in self.sections.lines(section) if line.strip())

    def text(self, section: str) -> str:
        return "\n".join(self.sections.lines(section))

    def listening(self, proto: str, port: int) -> tuple[Listener, ...]:
        return tuple(it for it in self.listeners if (it.proto, it.port) == (proto, port))

    def age(self, unit: str) -> timedelta | None:
        """How long it was active when the node was asked; None for one that never was."""
        since = self.units[unit].since
        return None if since is None else self.clock - since

    def starts_at_boot(self, unit: str) -> bool:
        """Whether it is enabled; of one that systemd makes from an init script, the links tell."""
        state = self.units[unit].enabled
        if state == "generated":
            return unit.removesuffix(".service") in self.sections.lines("init scripts")
        return state == "enabled"

    def failed_modules(self) -> Iterator[str]:
        """Prosody's lines about modules that it did not load, of the units' present runs."""
        for log, lines in self.sections.family("log").items():
            since = self._since(log)
            for line in filter(str.strip, lines):
                if since is None or _log_time(line, since.year) >= since:
                    yield f"{log}: {line}"

    def _since(self, log: str) -> datetime | None:
        index = log.removeprefix("/var/log/prosody-v").partition("/")[0]
        name = f"prosody-v@{index}.service" if index.isdigit() else "prosody.service"
        unit = self.units.get(name)
        return unit.since if unit is not None else None


def units_of(node: Node) -> tuple[str, ...]:
    """Every unit that must run on a node."""
    return tuple(unit.name for unit in roles.units_of(node))


def script_for(node: Node, patience: Patience) -> ShellScript:
    """The one command that gathers a node's facts; POSIX shell, run as root."""
    script = scripts.ALL.format(
        loop=scripts.LOOP_SECONDS, show=SHOW, units=" ".join(units_of(node))
    )
    for unit in roles.units_of(node):
        if unit.error_log:
            script += scripts.ERRORS.format(log=unit.error_log, lines=unit.error_lines)
    if roles.runs(node, roles.JICOFO):
        version = render_get(VERSION, patience=patience, seconds=3)
        script += scripts.JMS.format(lua=scripts.LUA.format(), version=version)
    if node.bridge is not None:
        script += scripts.BRIDGE.format(patient=patience.whole(5))
    return sectioned(script)


def gather(nodes: Sequence[Node], machines: Mapping[str, Machine]) -> dict[str, Facts | str]:
    """The facts of all nodes at once; a text instead says why a node gave none."""

    def one(node: Node) -> Facts | str:
        try:
            machine = machines[node.name]
            result = remote.run(machine, script_for(node, machine.patience).text)
        except remote.SilentNodeError as error:
            return error.message
        sections = parse_sections(result.stdout)
        if "listeners" in sections:
            return parse_facts(node.name, sections)
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        words = said[-1] if said else f"status {result.rc}"
        return f"Node '{node.name}' did not say how it is: {words}"

    with ThreadPoolExecutor(max_workers=8) as pool:
        return dict(zip((node.name for node in nodes), pool.map(one, nodes), strict=True))


def parse_facts(node: str, sections: Sections) -> Facts:
    """The facts in the sections of a node's answer."""
    passwd = (line.partition(":") for line in sections.lines("passwd"))
    users = {int(uid): name for name, _, uid in passwd if uid}
    processes = (line.split(None, 2) for line in sections.lines("processes"))
    return Facts(
        node=node,
        clock=datetime.fromisoformat(sections.lines("clock")[0]),
        units=parse_units(sections.lines("units")),
        listeners=tuple(
            _parse_listener(line, users) for line in sections.lines("listeners") if line.strip()
        ),
        processes=tuple((words[0], words[2]) for words in processes if len(words) == 3),
        sections=sections,
    )


def of(facts: Mapping[str, Facts | str], node: str) -> Facts:
    """A node's facts; the test fails with the node's name where there are none."""
    found = facts[node]
    if isinstance(found, str):
        pytest.fail(found, pytrace=False)
    return found


def _parse_listener(line: str, users: Mapping[int, str]) -> Listener:
    """A line of `ss -tulneH`: netid state recv-q send-q local peer [uid:N] ino:N ...

    Sockets of root have no `uid:`.
    """
    proto, _, _, _, local, _, *details = line.split()
    address, _, port = local.rpartition(":")
    uid = next((int(word[4:]) for word in details if word.startswith("uid:")), 0)
    return Listener(proto, address.partition("%")[0], int(port), users.get(uid, f"uid {uid}"))


def _log_time(line: str, year: int) -> datetime:
    try:
        return datetime.strptime(f"{year} {line[:15]}", TIME)
    except ValueError:
        return datetime.max  # a line without a time is held against the present run
