"""The lab while a drill runs on it: calls, where they are, and the faults that hit it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import quote

from labctl.crowd import Kind, Options, Target
from labctl.crowd.sync import SyncCrowd, SyncParticipant, crowd_in
from labctl.drills.faults import (
    BRIDGE_UNIT,
    Fault,
    Spot,
    Start,
    Stop,
    describe,
    render_fault,
    render_undo,
)
from labctl.drills.journal import Entry, Journal, run_entry
from labctl.drills.model import Where
from labctl.errors import LabError
from labctl.model import Role, Topology
from labctl.ssh import run_on
from labctl.waiting import Deadline, scaled, wait_until, whole
from labctl.workdir import Workdir

JOIN_SECONDS = 15.0
FAULT_SECONDS = 40.0
TRIES = 4
"""Calls to start before unwanted bridges are stopped to get one where it is wanted."""


class NoSuchPlaceError(LabError):
    """The lab has nothing that a drill's fault could hit."""


@dataclass(slots=True)
class Call:
    """People in one room, the bridges that the call is on, and its visitors with their vnode."""

    crowd: SyncCrowd
    bridges: frozenset[str]
    people: tuple[SyncParticipant, ...]
    visitors: tuple[SyncParticipant, ...] = ()
    vnode: str | None = None


@dataclass(slots=True)
class Stage:
    """A lab, its journal, and the calls that a drill has started."""

    workdir: Workdir
    topology: Topology
    journal: Journal
    stack: ExitStack
    target: Target
    call: Call | None = None
    others: list[Call] = field(default_factory=list)

    # Faults.

    def hit(self, fault: Fault, spots: Sequence[Spot]) -> None:
        """Make a fault on each spot, all at the same time; its undo is on disk before."""
        for spot in spots:
            what = f"{describe(fault)}: {spot.name}"
            self.journal.add(Entry(spot.node, what, render_undo(fault, spot)))

        def one(spot: Spot) -> None:
            script = render_fault(fault, spot, host=self.topology.host_address)
            run_on(self.workdir, spot.node, script, sudo=True, timeout=FAULT_SECONDS)

        with ThreadPoolExecutor(max(1, len(spots))) as pool:
            list(pool.map(one, spots))

    def undo(self) -> None:
        """End every fault that was made.  Errors: LabError of the first that could not be."""
        self.journal.settle(lambda entry: run_entry(self.workdir, entry))

    # Places.

    def spots(self, where: Where) -> tuple[Spot, ...]:
        """What `where` stands for now.  Errors: NoSuchPlaceError."""
        jms = self.topology.jms.name
        match where:
            case Where.PROSODY:
                return (Spot(jms, "prosody.service", "prosody"),)
            case Where.JICOFO:
                return (Spot(jms, "jicofo.service", "jicofo"),)
            case Where.NGINX:
                return (Spot(jms, "nginx.service", "nginx"),)
            case Where.VNODE:
                return (self._vnode_spot(),)
        return tuple(self._bridge_spot(nick) for nick in self._nicks(where))

    def _nicks(self, where: Where) -> tuple[str, ...]:
        bridges = self.topology.bridges
        used = self.call.bridges if self.call is not None else frozenset[str]()
        match where:
            case Where.OWN:
                return (str(self.topology.jms.bridge),)
            case Where.IN_USE:
                return tuple(nick for nick in bridges if nick in used)[:1]
            case Where.OTHERS:
                return tuple(nick for nick in bridges if nick not in used)
            case Where.IDLE:
                return (self._make_idle(used),)
        return bridges

    def _make_idle(self, used: frozenset[str]) -> str:
        """A bridge on a node of its own without a call; other calls that are on it end."""
        idle = next((nick for nick in far_bridges(self.topology) if nick not in used), None)
        if idle is None:
            raise NoSuchPlaceError("Every bridge on a node of its own is in use.")
        for other in [each for each in self.others if idle in each.bridges]:
            other.crowd.leave()
            self.others.remove(other)
        return idle

    def _bridge_spot(self, nick: str) -> Spot:
        node = next(node for node in self.topology.nodes if node.bridge == nick)
        return Spot(node.name, BRIDGE_UNIT, nick)

    def _vnode_spot(self) -> Spot:
        name = self.call.vnode if self.call is not None else None
        for vnode, node in self.topology.vnode_nodes():
            if vnode.name == name:
                return Spot(node.name, vnode.unit, vnode.name, ports=(5269, vnode.s2s_port))
        raise NoSuchPlaceError(f"The visitors are on '{name}', which the lab does not have.")

    # Calls.

    def place_call(self, people: int, *, wanted: Collection[str], visitors: int = 0) -> Call:
        """Start a call on one of the `wanted` bridges; calls that came to be elsewhere go on.

        Jicofo chooses; when it does not choose right after some tries, the other bridges are
        stopped for a moment.
        """
        for _ in range(TRIES):
            call = self.start_call(people)
            if call.bridges & set(wanted):
                break
            self.others.append(call)
        else:
            call = self._force_call(people, wanted=wanted)
        self.call = call
        if visitors:
            self._add_visitors(call, visitors)
        return call

    def place_bystanders(self, people: int) -> None:
        """One more call that is on another bridge, where Jicofo lets there be one."""
        assert self.call is not None
        for _ in range(TRIES):
            if any(not each.bridges & self.call.bridges for each in self.others):
                return
            call = self.start_call(people)
            if call.bridges & self.call.bridges:
                call.crowd.leave()
            else:
                self.others.append(call)

    def new_room(self) -> str:
        return f"drill-{secrets.token_hex(4)}"

    def bridges_of(self, room: str) -> frozenset[str]:
        """Nicks of the bridges that a conference is on, from Jicofo's /debug/conference."""
        path = quote(f"/debug/conference/{self.target.room_jid(room, None)}", safe="/@.")
        command = f"curl -sf --max-time {whole(5)} http://127.0.0.1:8888{path}"
        result = run_on(self.workdir, self.topology.jms.name, command, timeout=15, check=False)
        try:
            manager = json.loads(result.output)["colibri_session_manager"]
            return frozenset(manager["sessions"])
        except (ValueError, KeyError, TypeError):
            return frozenset()

    def operational(self) -> int:
        """Jicofo's `operational_bridge_count`; -1 where it does not answer."""
        command = f"curl -sf --max-time {whole(5)} http://127.0.0.1:8888/stats"
        result = run_on(self.workdir, self.topology.jms.name, command, timeout=15, check=False)
        try:
            return int(json.loads(result.output)["bridge_selector"]["operational_bridge_count"])
        except (ValueError, KeyError, TypeError):
            return -1

    def wait_operational(self, count: int, *, seconds: float) -> None:
        """Errors: LabError when Jicofo does not have so many operational bridges in time."""
        seen = -1

        def right() -> bool:
            nonlocal seen
            seen = self.operational()
            return seen == count

        if not wait_until(right, deadline=Deadline.after(seconds), interval=0.2):
            raise LabError(
                f"Jicofo has {seen} operational bridges after {scaled(seconds):.0f} s, not {count}."
            )

    def start_call(self, people: int) -> Call:
        crowd = self.stack.enter_context(crowd_in(self.target, self.new_room()))
        joined = crowd.join(people, deadline=JOIN_SECONDS)
        crowd.wait_for(Kind.ACCEPTED, deadline=JOIN_SECONDS)
        return Call(crowd, self.bridges_of(crowd.room), tuple(joined))

    def _force_call(self, people: int, *, wanted: Collection[str]) -> Call:
        spots = [self._bridge_spot(nick) for nick in self.topology.bridges if nick not in wanted]
        # Moved or ended by what follows, so nothing can be said about these any more.
        for other in self.others:
            other.crowd.leave()
        self.others.clear()
        self.hit(Stop(), spots)
        self.wait_operational(len(self.topology.bridges) - len(spots), seconds=15)
        call = self.start_call(people)
        self.hit(Start(), spots)
        self.wait_operational(len(self.topology.bridges), seconds=30)
        return call

    def _add_visitors(self, call: Call, count: int) -> None:
        found = call.crowd.join(count, deadline=JOIN_SECONDS, options=Options(want_visitor=True))
        for visitor in found:
            visitor.wait_for(Kind.ACCEPTED, deadline=JOIN_SECONDS)
        call.visitors = tuple(found)
        call.vnode = found[0].view().vnode


def far_bridges(topology: Topology) -> tuple[str, ...]:
    """Bridges that are alone on their node: those that a partition can cut off."""
    return tuple(
        node.bridge for node in topology.nodes if node.bridge and node.role is not Role.JMS
    )


def wanted_bridges(topology: Topology, place: Where) -> tuple[str, ...]:
    """Where a call must be for a drill whose call is placed at `place`."""
    if place is Where.OWN:
        return (str(topology.jms.bridge),)
    if place is Where.IN_USE:
        return far_bridges(topology) or topology.bridges
    return topology.bridges
