"""The lab while a drill runs on it: calls, where they are, and the faults that hit it."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Literal, assert_never

from labctl.core.errors import LabError
from labctl.core.waiting import wait_until
from labctl.crowd import Kind, Options, Target
from labctl.crowd.media import MediaKind, MediaOptions
from labctl.crowd.sync import SyncCrowd, SyncParticipant, crowd_in
from labctl.drills.answering import wait_answering
from labctl.drills.faults import (
    BRIDGE_UNIT,
    Fault,
    Spot,
    Start,
    Stop,
    describe,
)
from labctl.drills.journal import Journal, UndoEntry, run_entry
from labctl.drills.model import Where
from labctl.drills.places import NoSuchPlaceError, far_bridges
from labctl.drills.scripts import render_fault, render_undo
from labctl.node import jicofo
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.node.seam import on_all
from labctl.topology.lab import Lab
from labctl.topology.roles import JICOFO, NGINX, PROSODY
from labctl.topology.units import UnitFacts

JOIN_SECONDS = 15.0
MEDIA_SECONDS = 20.0
SOUND = MediaKind.AUDIO
PICTURES = 2
"""How many of a call have a picture as well: enough to see whether it comes back."""
FAULT_SECONDS = 40.0
TRIES = 4
"""Calls to start before unwanted bridges are stopped to get one where it is wanted."""


BridgePlace = Literal[Where.OWN, Where.IN_USE, Where.PAIR, Where.OTHERS, Where.IDLE, Where.ALL]
"""Places that are bridges."""


@dataclass(slots=True)
class Call:
    """People in one room, the bridges that the call is on, and its visitors with their vnode."""

    crowd: SyncCrowd
    bridges: frozenset[str]
    people: tuple[SyncParticipant, ...]
    visitors: tuple[SyncParticipant, ...] = ()
    vnode: str | None = None


@dataclass(slots=True)
class DrillStage:
    """A lab, its journal, and the calls that a drill has started."""

    lab: Lab
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
            self.journal.add(UndoEntry(spot.node, what, render_undo(fault, spot)))

        by_name = {spot.name: spot for spot in spots}

        def one(name: str) -> None:
            spot = by_name[name]
            script = render_fault(fault, spot, host=self.lab.topology.host_address)
            nodes = reach(self.lab)
            nodes.run(spot.node, ShellScript(script), sudo=True, seconds=FAULT_SECONDS)

        on_all(by_name, one)

    def undo(self) -> None:
        """End every fault that was made.  Errors: LabError of the first that could not be."""
        self.journal.settle(lambda entry: run_entry(self.lab, entry))

    # Places.

    def spots(self, where: Where) -> tuple[Spot, ...]:
        """What `where` stands for now.  Errors: NoSuchPlaceError."""
        match where:
            case Where.PROSODY:
                return (self._jms_spot(PROSODY),)
            case Where.JICOFO:
                return (self._jms_spot(JICOFO),)
            case Where.NGINX:
                return (self._jms_spot(NGINX),)
            case Where.VNODE:
                return (self._vnode_spot(),)
            case Where.MACHINE:
                return tuple(self._machine_spots())
            case Where.OWN | Where.IN_USE | Where.PAIR | Where.OTHERS | Where.IDLE | Where.ALL:
                return tuple(self._bridge_spot(nick) for nick in self._nicks(where))
            case _:
                assert_never(where)

    def _jms_spot(self, unit: UnitFacts) -> Spot:
        return Spot(self.lab.topology.jms.name, unit.name, unit.stem)

    def _nicks(self, where: BridgePlace) -> tuple[str, ...]:
        bridges = self.lab.topology.bridges
        used = self.call.bridges if self.call is not None else frozenset[str]()
        match where:
            case Where.OWN:
                return (str(self.lab.topology.jms.bridge),)
            case Where.IN_USE:
                return tuple(nick for nick in bridges if nick in used)[:1]
            case Where.PAIR:
                return tuple(sorted(bridges, key=lambda nick: nick not in used))[:2]
            case Where.OTHERS:
                return tuple(nick for nick in bridges if nick not in used)
            case Where.IDLE:
                return (self._make_idle(used),)
            case Where.ALL:
                return bridges
            case _:
                assert_never(where)

    def _make_idle(self, used: frozenset[str]) -> str:
        """A bridge on a node of its own without a call; other calls that are on it end."""
        idle = next((nick for nick in far_bridges(self.lab.topology) if nick not in used), None)
        if idle is None:
            raise NoSuchPlaceError("Every bridge on a node of its own is in use.")
        for other in [each for each in self.others if idle in each.bridges]:
            other.crowd.leave()
            self.others.remove(other)
        return idle

    def _bridge_spot(self, nick: str) -> Spot:
        node = next(node for node in self.lab.topology.nodes if node.bridge == nick)
        return Spot(node.name, BRIDGE_UNIT, nick)

    def _machine_spots(self) -> Iterator[Spot]:
        """Every node of the machine that has the bridge in use; those without a bridge are hit as
        nodes, which have no unit."""
        used = self._nicks(Where.IN_USE)
        host = next(it.host for it in self.lab.topology.nodes if it.bridge in used)
        for node in self.lab.topology.nodes:
            if node.host == host:
                yield Spot(node.name, BRIDGE_UNIT if node.bridge else "", node.bridge or node.name)

    def _vnode_spot(self) -> Spot:
        name = self.call.vnode if self.call is not None else None
        for vnode, node in self.lab.topology.vnode_nodes():
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
        call.crowd.wait_media(deadline=MEDIA_SECONDS)
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
                call.crowd.wait_media(deadline=MEDIA_SECONDS)
                self.others.append(call)

    def options(self, kind: MediaKind, *, visitor: bool = False) -> Options:
        """For participants with media, who call the lab's bridges by their nicks."""
        media = MediaOptions.of(self.lab.topology, kind)
        return Options(want_visitor=visitor, media=media)

    def new_room(self) -> str:
        return f"drill-{secrets.token_hex(4)}"

    def bridges_of(self, room: str) -> frozenset[str]:
        """Nicks of the bridges that a conference is on, as Jicofo has it."""
        return frozenset(jicofo.read_conference(self.lab, self.target.room_jid(room, None)))

    def operational(self) -> int:
        """How many bridges work, as Jicofo has it; -1 where it does not answer."""
        stats = jicofo.read_stats(self.lab)
        return -1 if stats is None or stats.operational is None else stats.operational

    def wait_operational(self, count: int, *, seconds: float) -> None:
        """Errors: LabError when Jicofo does not have so many operational bridges in time."""
        seen = -1

        def right() -> bool:
            nonlocal seen
            seen = self.operational()
            return seen == count

        if not wait_until(right, deadline=self.lab.patience.deadline(seconds), interval=0.2):
            waited = self.lab.patience.scaled(seconds)
            raise LabError(
                f"Jicofo has {seen} operational bridges after {waited:.0f} s, not {count}."
            )

    def start_call(
        self, people: int, *, pictures: int = PICTURES, sounds: int | None = None
    ) -> Call:
        """A call of so many, of whom `sounds` have sound (all where it is None), and of these
        `pictures` a picture as well.  Errors: LabError where it does not come to be.
        """
        heard = people if sounds is None else min(sounds, people)
        seen = min(pictures, heard)
        parts = (
            (seen, self.options(MediaKind.BOTH)),
            (heard - seen, self.options(SOUND)),
            (people - heard, Options()),
        )
        crowd = self.stack.enter_context(crowd_in(self.target, self.new_room()))
        joined: list[SyncParticipant] = []
        for count, options in parts:
            if count:
                joined += crowd.join(count, deadline=JOIN_SECONDS, options=options)
        crowd.wait_for(Kind.ACCEPTED, deadline=JOIN_SECONDS)
        return Call(crowd, self.bridges_of(crowd.room), tuple(joined))

    def _force_call(self, people: int, *, wanted: Collection[str]) -> Call:
        bridges = self.lab.topology.bridges
        spots = [self._bridge_spot(nick) for nick in bridges if nick not in wanted]
        # Moved or ended by what follows, so nothing more can be said about these.
        for other in self.others:
            other.crowd.leave()
        self.others.clear()
        wait_answering(self.lab, Stop(), spots)
        self.hit(Stop(), spots)
        self.wait_operational(len(bridges) - len(spots), seconds=15)
        call = self.start_call(people)
        self.hit(Start(), spots)
        self.wait_operational(len(bridges), seconds=30)
        return call

    def _add_visitors(self, call: Call, count: int) -> None:
        options = self.options(SOUND, visitor=True)
        found = call.crowd.join(count, deadline=JOIN_SECONDS, options=options)
        for visitor in found:
            visitor.wait_for(Kind.ACCEPTED, deadline=JOIN_SECONDS)
        call.visitors = tuple(found)
        call.vnode = found[0].view().vnode
