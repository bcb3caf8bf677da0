"""Waiting until a lab is ready: units, ports, bridges, vnodes, and sound through every bridge."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from labctl.core.crowding import at_once
from labctl.core.errors import LabError
from labctl.core.progress import Progress, Timings, silent
from labctl.core.waiting import wait_until
from labctl.crowd.media import MediaProblem
from labctl.node.seam import AT_ONCE, on_all
from labctl.ready.explain import explain
from labctl.ready.media import MediaProof, prove_media
from labctl.ready.probe import NodeState, probe
from labctl.ready.record import save_record
from labctl.ready.seat import retake_seat
from labctl.ready.signals import SEAT, Signal, Validity, judge_signals
from labctl.topology.lab import Lab
from labctl.topology.model import Node

INTERVAL = 0.25
MEDIA_SECONDS = 20.0
HINT = "The logs of all nodes are in the folder below; run 'labctl up' to try again."


class NotReadyError(LabError):
    """A signal was not seen in time."""


def probe_all(
    lab: Lab, nodes: Sequence[Node], *, packages: bool = True, at_once: int = AT_ONCE
) -> dict[str, NodeState]:
    """Ask several nodes, so many of them at the same time; see `probe`."""
    by_name = {node.name: node for node in nodes}
    ask = partial(probe, lab, packages=packages)
    return on_all(by_name, lambda name: ask(by_name[name]), at_once=at_once)


@dataclass(slots=True)
class _Looks:
    """Looks at a lab that comes up, at every node's signals or those `only` of some.

    In a lab with more nodes than are asked at once, those where nothing is missing any more are not
    asked again until nothing is missing anywhere; then all are, once more.
    """

    lab: Lab
    only: Collection[str] | None
    validity: Validity | None
    signals: Sequence[Signal] = ()
    _states: dict[str, NodeState] = field(default_factory=dict)

    @property
    def missing(self) -> list[Signal]:
        return [signal for signal in self.signals if not signal.ok]

    def look(self) -> None:
        """Ask, and judge `signals` anew."""
        nodes = self.lab.topology.nodes
        concerned = self._concerned()
        self._ask(concerned)
        if not self.missing and len(concerned) < len(nodes):
            self._ask(nodes)

    def _concerned(self) -> Sequence[Node]:
        topology = self.lab.topology
        if len(topology.nodes) <= at_once() or not self.signals:
            return topology.nodes
        names = {signal.name.split()[0] for signal in self.missing}
        # The JMS has the signals that are no node's own.
        return [node for node in topology.nodes if node.name in names or node is topology.jms]

    def _ask(self, nodes: Sequence[Node]) -> None:
        self._states |= probe_all(self.lab, nodes, packages=False, at_once=at_once())
        self.signals = [
            signal
            for signal in judge_signals(self.lab.topology, self._states, validity=self.validity)
            if self.only is None or signal.name.split()[0] in self.only
        ]


def wait_signals(
    lab: Lab,
    *,
    seconds: float,
    progress: Progress,
    only: Collection[str] | None = None,
    mend: bool = False,
) -> None:
    """Wait until every signal of the nodes is seen, or each node's own of `only` those named.

    With `mend`, a Jicofo that has lost its seat in the brewery is restarted once; who judges a lab
    waits without.  Errors: NotReadyError that names each signal not seen within `seconds`, and
    what was.
    """
    told: set[str] = set()
    looks = _Looks(lab, only, Validity.of(lab.folder))

    def look() -> bool:
        nonlocal mend
        looks.look()
        for signal in looks.signals:
            if signal.ok and signal.name not in told:
                told.add(signal.name)
                progress("ready", f"{signal.name}: {signal.seen}")
        if mend and any(signal.name == SEAT for signal in looks.missing):
            mend = False
            retake_seat(lab, progress=progress)
        return not looks.missing

    if wait_until(look, deadline=lab.patience.deadline(seconds), interval=INTERVAL, polite=True):
        return
    lines = "".join(f"\n    {signal.name}: {signal.seen}" for signal in looks.missing)
    raise NotReadyError(f"{_late(lab, seconds)}{lines}", hint=HINT)


def _late(lab: Lab, seconds: float) -> str:
    """What a NotReadyError begins with."""
    waited = lab.patience.scaled(seconds)
    return f"Lab '{lab.topology.lab}' was not ready after {waited:.0f} s.  Not seen:"


def wait_ready(
    lab: Lab, *, seconds: float, progress: Progress, timings: Timings | None = None
) -> None:
    """Wait until the lab is media-ready; what the signals and the media took is in `timings`.

    The last signal is what people came for: two hear each other, and sound has passed through
    every bridge.  Errors: NotReadyError, with what was waited for and what was last seen.
    """
    timings = timings or Timings()
    with timings.step("signals of all nodes"):
        wait_signals(lab, seconds=seconds, progress=progress, mend=True)
    with timings.step("media through every bridge"):
        try:
            wait_media(lab, seconds=MEDIA_SECONDS, by="up", progress=progress)
        except NotReadyError:
            if not _lost_signals(lab, progress=progress):
                raise
            wait_signals(lab, seconds=seconds, progress=progress, mend=True)
            wait_media(lab, seconds=MEDIA_SECONDS, by="up", progress=progress)


def _lost_signals(lab: Lab, *, progress: Progress) -> bool:
    """Whether a signal that was seen is gone.

    Jicofo may find out only by a conference that a bridge has died and come back, as in a drill
    that was killed; it then leaves it out for a minute.
    """
    try:
        wait_signals(lab, seconds=0.0, progress=silent)
    except NotReadyError:
        progress("ready", "something was lost again; waiting for it")
        return True
    return False


def wait_media(lab: Lab, *, seconds: float, by: str, progress: Progress) -> None:
    """Wait until media passes through every bridge, and note for `labctl status` what came of it.

    Errors: NotReadyError that names each bridge with address, port and stage, after `seconds`.
    """
    proof = prove_media(lab, seconds=seconds, progress=progress)
    said = {one.bridge: one.problem for one in proof.bridges.values()}
    problems = {nick: error.message if error else "" for nick, error in said.items()}
    save_record(lab.folder, problems, by=by)
    if proof.passed:
        return
    lines = "".join(f"\n    {line}" for line in _lines(lab, proof))
    raise NotReadyError(f"{_late(lab, seconds)}{lines}", hint=HINT)


def _lines(lab: Lab, proof: MediaProof) -> Iterator[str]:
    """What was wrong, and where a firewall explains it, which rule of which chain."""
    seen: set[str] = set()
    for problem in proof.problems:
        if problem.message in seen:
            continue
        seen.add(problem.message)
        yield f"media: {problem.message}"
        if isinstance(problem, MediaProblem):
            yield from (f"    {reason}" for reason in explain(lab, problem))
