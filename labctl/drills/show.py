"""One run of a drill: the call is placed, acts follow one another, everything is watched."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from labctl.crowd import CrowdError, Options, Target
from labctl.crowd.sync import SyncParticipant, crowd_in
from labctl.drills.faults import Spot, describe
from labctl.drills.journal import Journal
from labctl.drills.judge import is_settled
from labctl.drills.model import Act, Drill, Mark, Moment, Probe, Try, Where, Who
from labctl.drills.stage import Stage, wanted_bridges
from labctl.drills.watch import Seen, Watcher, marks_of
from labctl.errors import LabError
from labctl.model import Topology
from labctl.progress import Progress
from labctl.waiting import Deadline, wait_until
from labctl.workdir import Workdir

LOOK = 0.2
TRY_SECONDS = 6.0
CLOCK_ERROR = 0.05
"""How far off a time from a node's log may be."""


@dataclass(slots=True)
class Show:
    """One run of a drill."""

    drill: Drill
    workdir: Workdir
    topology: Topology
    progress: Progress
    stage: Stage = field(init=False)
    subjects: dict[tuple[int, Who], tuple[str, ...]] = field(default_factory=dict)
    cast: list[tuple[Who, str, SyncParticipant]] = field(default_factory=list)
    places: dict[Where, tuple[Spot, ...]] = field(default_factory=dict)
    began: list[float] = field(default_factory=list)
    newcomers: list[Seen] = field(default_factory=list)
    watcher: Watcher | None = None
    said: str = field(default_factory=lambda: f"drill {secrets.token_hex(4)}")
    kept: list[Moment] | None = None
    told: set[tuple[str, Mark, float]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.stage = Stage(
            self.workdir,
            self.topology,
            Journal(self.workdir, what=self.drill.name),
            ExitStack(),
            Target.of(self.topology, self.workdir),
        )

    # The course of it.

    def play(self) -> None:
        """Place the call and go through the acts; ends with the last act's watch."""
        drill = self.drill
        if drill.place is not None:
            wanted = wanted_bridges(self.topology, drill.place)
            self.stage.place_call(drill.people, wanted=wanted, visitors=drill.visitors)
            if any(each.who is Who.OTHERS for act in drill.acts for each in act.expects):
                self.stage.place_bystanders(2)
        self.places = {act.where: self.stage.spots(act.where) for act in drill.acts}
        self._name_people()
        with Watcher(self.workdir, self.topology, on_seen=self._tell) as self.watcher:
            for index, act in enumerate(drill.acts):
                self._play_act(index, act)
        self.kept = self.moments()

    def close(self) -> str:
        """Undo, and let everybody leave, whatever happened before; what could not be undone."""
        left = ""
        try:
            self.stage.undo()
        except LabError as error:
            left = error.message
        finally:
            self.kept = self.moments()
            self.stage.stack.close()
        return left

    def _play_act(self, index: int, act: Act) -> None:
        spots = self.places[act.where]
        self._name_subjects(index, act, spots)
        names = ", ".join(spot.name for spot in spots)
        self.progress("drill", f"{describe(act.fault)}: {names}")
        self.began.append(time.monotonic())
        self.stage.hit(act.fault, spots)
        due = sorted(act.tries, key=lambda each: each.at)
        deadline = Deadline(self.began[-1] + act.longest)

        def over() -> bool:
            passed = time.monotonic() - self.began[-1]
            while due and due[0].at <= passed and self._is_time(index, act, due[0]):
                self._try(index, due.pop(0))
            moments = self._tell_people()
            settled = is_settled(index, act, moments, subjects=self.subjects)
            return settled is not None and not due and passed >= settled + act.quiet

        wait_until(over, deadline=deadline, interval=LOOK)

    def _is_time(self, index: int, act: Act, one: Try) -> bool:
        if not one.late:
            return True
        moments, newcomers = self.moments(), Who.NEWCOMERS
        return is_settled(index, act, moments, subjects=self.subjects, but=newcomers) is not None

    # Who is who.

    def _name_people(self) -> None:
        call = self.stage.call
        if call is None:
            return
        # Where a call may span bridges, any call may have people on the one that goes.
        apart = () if self.topology.relays else self.stage.others
        others = [one for each in apart for one in each.people]
        self.cast = [
            *((Who.CALL, f"p{n}", one) for n, one in enumerate(call.people, 1)),
            *((Who.VISITORS, f"visitor {n}", one) for n, one in enumerate(call.visitors, 1)),
            *((Who.OTHERS, f"other {n}", one) for n, one in enumerate(others, 1)),
        ]

    def _name_subjects(self, index: int, act: Act, spots: Sequence[Spot]) -> None:
        tries = [each for each in act.tries if each.probe is not Probe.SAY]
        groups: Mapping[Who, tuple[str, ...]] = {
            **{who: tuple(name for part, name, _ in self.cast if part is who) for who in Who},
            Who.NEWCOMERS: tuple(f"newcomer {index + 1}.{n + 1}" for n in range(len(tries))),
            Who.HIT: tuple(spot.name for spot in spots),
            Who.BRIDGES: self.topology.bridges,
            Who.JICOFO: ("jicofo",),
        }
        self.subjects |= {(index, who): names for who, names in groups.items()}

    # What is tried.

    def _try(self, index: int, one: Try) -> None:
        call = self.stage.call
        if one.probe is Probe.SAY:
            assert call is not None
            call.people[0].say(self.said)
            return
        prefix = f"newcomer {index + 1}."
        name = f"{prefix}{1 + sum(each.subject.startswith(prefix) for each in self.newcomers)}"
        try:
            detail = self._new_call() if one.probe is Probe.NEW_CALL else self._new_visitor()
            mark = Mark.NEWCOMER_IN
        except CrowdError as error:
            mark, detail = Mark.NEWCOMER_OUT, error.message
        self.newcomers.append(Seen(time.monotonic(), Who.NEWCOMERS, name, mark, detail))

    def _new_call(self) -> str:
        with crowd_in(self.stage.target, self.stage.new_room()) as crowd:
            crowd.join(2, deadline=TRY_SECONDS)
            crowd.wait_invited(deadline=TRY_SECONDS)
            return "on " + ", ".join(sorted(self.stage.bridges_of(crowd.room)))

    def _new_visitor(self) -> str:
        assert self.stage.call is not None
        options = Options(want_visitor=True)
        with crowd_in(self.stage.target, self.stage.call.crowd.room, options=options) as crowd:
            crowd.join(1, deadline=TRY_SECONDS)
            return f"on {crowd.views()[0].vnode or 'the main server'}"

    # What was seen.

    def moments(self) -> list[Moment]:
        """Everything seen since the first act, each with its act, in order of time."""
        if self.kept is not None:
            return self.kept
        seen = [*(self.watcher.seen if self.watcher else ()), *self.newcomers]
        for who, name, one in self.cast:
            seen += marks_of(one.view().events, who=who, subject=name, said=self.said)
        return [
            moment
            for each in sorted(seen, key=lambda one: one.at)
            if (moment := self._moment(each)) is not None
        ]

    def _moment(self, seen: Seen) -> Moment | None:
        act = sum(1 for began in self.began if began - CLOCK_ERROR <= seen.at) - 1
        if act < 0:
            return None
        at = max(0.0, seen.at - self.began[act])
        return Moment(act, at, seen.who, seen.subject, seen.mark, seen.detail)

    def _tell(self, seen: Seen) -> None:
        if self.began and seen.at >= self.began[0]:
            after = seen.at - self.began[-1]
            count = f" ({seen.detail})" if "operational" in seen.mark else ""
            self.progress("drill", f"{after:5.1f} s  {seen.subject}: {seen.mark}{count}")

    def _tell_people(self) -> list[Moment]:
        moments = self.moments()
        for each in moments:
            key = (each.subject, each.mark, each.at)
            if each.who is not Who.JICOFO and key not in self.told:
                self.told.add(key)
                self.progress("drill", f"{each.at:5.1f} s  {each.subject}: {each.mark}")
        return moments
