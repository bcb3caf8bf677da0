"""A lab's status as values: what `labctl.lab.status` reads, and reports and programs are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, read_document
from labctl.ready.record import NEVER, BridgeRecord


@dataclass(frozen=True, slots=True)
class MachinesStatus:
    """What the lab's nodes are; `accelerator` is how their processors run, where that is said."""

    what: str
    accelerator: str
    own_kernel: bool
    kernel: str
    patience: float


@dataclass(frozen=True, slots=True)
class PackageStatus:
    """An installed package."""

    version: str
    stand_in: bool


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One node: its machine's state in Vagrant's word, and its units' in systemd's words.

    `host` is where it runs, if the lab has `hosts`.
    """

    name: str
    role: str
    address: str
    machine: str
    answers: bool
    units: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, PackageStatus] = field(default_factory=dict)
    host: str = ""

    @property
    def idle_units(self) -> tuple[str, ...]:
        """Units that do not run; systemd writes `active (running)` of those that do."""
        return tuple(
            name for name, state in self.units.items() if state.partition(" ")[0] != "active"
        )


@dataclass(frozen=True, slots=True)
class BridgeStatus:
    """One bridge, as Jicofo and participants see it."""

    nick: str
    node: str
    in_brewery: bool
    operational: bool
    media: BridgeRecord = NEVER
    """What was last seen of media through it."""


@dataclass(frozen=True, slots=True)
class VNodeStatus:
    """One visitor Prosody: whether its unit runs, and whether Jicofo has registered there."""

    name: str
    node: str
    unit: str
    active: bool
    registered: bool


@dataclass(frozen=True, slots=True)
class Status:
    """The lab at one time; `missing` says what is not as it should be, by the signal's name."""

    lab: str
    provider: str
    machines: MachinesStatus
    domain: str
    network: str
    max_participants: int
    relays: bool
    healthy: bool
    media_passed: str = ""
    """When media was last seen to pass through every bridge; empty if it does not."""
    missing: Mapping[str, str] = field(default_factory=dict)
    stand_ins: tuple[str, ...] = ()
    nodes: tuple[NodeStatus, ...] = ()
    bridges: tuple[BridgeStatus, ...] = ()
    vnodes: tuple[VNodeStatus, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `labctl status --json` prints it."""
        return {"format": STATUS.format, **to_plain(self)}

    @classmethod
    def from_json(cls, data: object) -> Status:
        """The status that `to_json` wrote.  Errors: StateError."""
        return read_document(data, STATUS, name="status")


STATUS: StateKind[Status] = StateKind(format=1, parse=partial(from_plain, Status))
