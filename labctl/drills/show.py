"""One run of a drill: the call is placed, acts follow one another, everything is watched."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import assert_never

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.core.waiting import Deadline, wait_until
from labctl.crowd import CrowdError, Options, Target
from labctl.crowd.sync import SyncParticipant, crowd_in
from labctl.drills.answering import wait_answering
from labctl.drills.faults import Spot, describe
from labctl.drills.findings import Hearing, Moment
from labctl.drills.joins import JoinWatcher
from labctl.drills.journal import Journal
from labctl.drills.judge import CLOCK_ERROR, is_settled
from labctl.drills.listen import Listener
from labctl.drills.model import Act, Drill, Mark, Probe, Try, Where, Who
from labctl.drills.places import wanted_bridges
from labctl.drills.stage import PICTURES, SOUND, DrillStage
from labctl.drills.watch import Seen, Watcher, marks_of
from labctl.topology.lab import Lab

LOOK = 0.2
TRY_SECONDS = 6.0


@dataclass(slots=True)
class Show:
    """One run of a drill."""

    drill: Drill
    lab: Lab
    progress: Progress
    stage: DrillStage = field(init=False)
    subjects: dict[tuple[int, Who], tuple[str, ...]] = field(default_factory=dict)
    cast: list[tuple[Who, str, SyncParticipant]] = field(default_factory=list)
    places: dict[Where, tuple[Spot, ...]] = field(default_factory=dict)
    listener: Listener = field(default_factory=Listener)
    newcomers: list[Seen] = field(default_factory=list)
    watcher: Watcher | None = None
    joins: JoinWatcher | None = None
    said: str = field(default_factory=lambda: f"drill {secrets.token_hex(4)}")
    installed: dict[str, str] = field(default_factory=dict)
    """Versions of the packages that are judged, by name."""
    kept: list[Moment] | None = None
    hearing: tuple[Hearing, ...] = ()
    watched: float = 0.0
    waited: float = 0.0
    """Seconds until the bridges that were to be hit answered."""
    told: set[tuple[str, Mark, float]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.stage = DrillStage(
            self.lab,
            Journal(self.lab.folder, what=self.drill.name),
            ExitStack(),
            Target.of(self.lab),
        )

    # The course of it.

    def play(self) -> None:
        """Place the call and go through the acts; ends with the last act's watch."""
        drill = self.drill
        if drill.place is not None:
            wanted = wanted_bridges(self.lab.topology, drill.place)
            self.stage.place_call(drill.people, wanted=wanted, visitors=drill.visitors)
            if any(each.who is Who.OTHERS for act in drill.acts for each in act.expects):
                self.stage.place_bystanders(2)
        self.places = {act.where: self.stage.spots(act.where) for act in drill.acts}
        self._name_people()
        racing = [spot for act in drill.acts if act.outcomes for spot in self.places[act.where]]
        with (
            Watcher(self.lab, on_seen=self._tell) as self.watcher,
            JoinWatcher(self.lab, racing) as self.joins,
        ):
            for index, act in enumerate(drill.acts):
                self._play_act(index, act)
        self._keep()

    def _keep(self) -> None:
        """What was seen and heard until now is all that counts."""
        if self.kept is None:
            self.kept = self.moments()
            self.hearing = self.listener.figures(self.cast)
            self.watched = time.monotonic() - self.began[0] if self.began else 0.0

    @property
    def began(self) -> list[float]:
        """When each act began, on the monotonic clock."""
        return self.listener.began

    @property
    def crowding(self) -> float:
        """How many times longer things took on this machine while it was watched."""
        return self.watcher.crowding if self.watcher is not None else 1.0

    def close(self) -> str:
        """Undo, and let everybody leave, whatever happened before; what could not be undone."""
        left = ""
        try:
            self.stage.undo()
        except LabError as error:
            left = error.message
        finally:
            self._keep()
            self.stage.stack.close()
        return left

    def _play_act(self, index: int, act: Act) -> None:
        spots = self.places[act.where]
        self._name_subjects(index, act, spots)
        names = ", ".join(spot.name for spot in spots)
        asked = time.monotonic()
        wait_answering(self.lab, act.fault, spots)
        self.waited += time.monotonic() - asked
        self.progress("drill", f"{describe(act.fault)}: {names}")
        lossy = any(each.mark is Mark.LOSSY for each in act.possible)
        self.listener.begin_act(self.cast, lossy=lossy)
        self.stage.hit(act.fault, spots)
        due = sorted(act.tries, key=lambda each: each.at)
        deadline = Deadline(self.began[-1] + act.longest(self.lab.patience))

        def over() -> bool:
            passed = time.monotonic() - self.began[-1]
            while due and due[0].at <= passed and self._is_time(index, act, due[0]):
                self._try(index, due.pop(0))
            moments = self._tell_people()
            settled = is_settled(
                index, act, moments, subjects=self.subjects, installed=self.installed
            )
            return settled is not None and not due and passed >= settled + act.quiet

        wait_until(over, deadline=deadline, interval=LOOK)

    def _is_time(self, index: int, act: Act, one: Try) -> bool:
        if not one.late:
            return True
        settled = is_settled(
            index, act, self.moments(), subjects=self.subjects, but=Who.NEWCOMERS,
            installed=self.installed,
        )  # fmt: skip
        return settled is not None

    # Who is who.

    def _name_people(self) -> None:
        call = self.stage.call
        if call is None:
            return
        # Where a call may span bridges, any call may have people on the one that goes.
        apart = () if self.lab.topology.spec.relays else self.stage.others
        others = [one for each in apart for one in each.people]
        self.cast = [
            *((Who.CALL, f"p{n}", one) for n, one in enumerate(call.people, 1)),
            *((Who.VISITORS, f"visitor {n}", one) for n, one in enumerate(call.visitors, 1)),
            *((Who.OTHERS, f"other {n}", one) for n, one in enumerate(others, 1)),
        ]

    def _name_subjects(self, index: int, act: Act, spots: Sequence[Spot]) -> None:
        self.subjects |= {(index, who): self._subjects(who, index, act, spots) for who in Who}

    def _subjects(self, who: Who, index: int, act: Act, spots: Sequence[Spot]) -> tuple[str, ...]:
        match who:
            case Who.CALL | Who.VISITORS | Who.OTHERS:
                return tuple(name for part, name, _ in self.cast if part is who)
            case Who.VIEWERS:
                call = (name for part, name, _ in self.cast if part is Who.CALL)
                return tuple(call)[:PICTURES]
            case Who.NEWCOMERS:
                tries = [each for each in act.tries if each.probe is not Probe.SAY]
                return tuple(f"newcomer {index + 1}.{n + 1}" for n in range(len(tries)))
            case Who.HIT:
                # A node that is hit as a whole and has no bridge shows nothing that is watched.
                return tuple(spot.name for spot in spots if spot.unit)
            case Who.BRIDGES:
                return self.lab.topology.bridges
            case Who.JICOFO:
                return ("jicofo",)
            case _:
                assert_never(who)

    # What is tried.

    def _try(self, index: int, one: Try) -> None:
        match one.probe:
            case Probe.SAY:
                assert self.stage.call is not None
                self.stage.call.people[0].say(self.said)
            case Probe.NEW_CALL:
                self._come(index, self._new_call)
            case Probe.VISITOR:
                self._come(index, self._new_visitor)
            case _:
                assert_never(one.probe)

    def _come(self, index: int, join: Callable[[], str]) -> None:
        """Newcomers come during an act; `join` says where they got to."""
        prefix = f"newcomer {index + 1}."
        name = f"{prefix}{1 + sum(each.subject.startswith(prefix) for each in self.newcomers)}"
        try:
            mark, detail = Mark.NEWCOMER_IN, join()
        except CrowdError as error:
            mark, detail = Mark.NEWCOMER_OUT, error.message
        self.newcomers.append(Seen(time.monotonic(), Who.NEWCOMERS, name, mark, detail))

    def _new_call(self) -> str:
        options = self.stage.options(SOUND)
        with crowd_in(self.stage.target, self.stage.new_room(), options=options) as crowd:
            crowd.join(2, deadline=TRY_SECONDS)
            crowd.wait_invited(deadline=TRY_SECONDS)
            crowd.wait_media(deadline=TRY_SECONDS)
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
        seen += self.joins.seen if self.joins else ()
        for who, name, one in self.cast:
            seen += marks_of(one.view().events, who=who, subject=name, said=self.said)
        moments = [moment for each in seen if (moment := self._moment(each)) is not None]
        moments += self.listener.moments(self.cast)
        return sorted(moments, key=lambda each: (each.act, each.at))

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
