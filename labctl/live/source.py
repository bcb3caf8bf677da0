"""A lab that is followed: its newest snapshot, and the minutes before as figures."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

from labctl.host.network import prove_local
from labctl.lab.report import load_secrets
from labctl.live.assemble import Known, assemble
from labctl.live.model import Snapshot
from labctl.live.poll import INTERVAL, Heard, Poller, ask_once
from labctl.live.records import running_drill
from labctl.node.ssh import ensure_config
from labctl.ready.record import load_record
from labctl.ready.signals import Validity
from labctl.report.redact import redact_text
from labctl.topology.lab import Lab

SAMPLE_SECONDS = 2.0
KEPT_SAMPLES = 300
"""Ten minutes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The lab's load at one time, in seconds since 1970; `stress` is that of the busiest bridge."""

    at: float
    participants: int
    visitors: int
    conferences: int
    stress: float


class Source(Protocol):
    """What the views show: a lab that is followed, or one that a test makes up."""

    def snapshot(self) -> Snapshot:
        """The lab as it is known now."""
        ...

    def samples(self) -> tuple[Sample, ...]:
        """Its load in the last minutes, the oldest first."""
        ...


class LiveLab:
    """Follows a lab while it is entered; see `Source`.

    Errors at the beginning: LabError if the lab's network is not one of this machine, because then
    nothing may be sent to it.
    """

    def __init__(self, lab: Lab, *, interval: float = INTERVAL) -> None:
        self.lab = lab
        self._poller = Poller(lab, interval=interval, changed=self._note)
        self._secrets = load_secrets(lab.folder)
        self._validity = Validity.of(lab.folder)
        self._samples: deque[Sample] = deque(maxlen=KEPT_SAMPLES)
        self._noting = threading.Lock()

    def __enter__(self) -> Self:
        prepare(self.lab)
        self._poller.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._poller.__exit__(kind, error, trace)

    def snapshot(self) -> Snapshot:
        """The lab as it is known now; secrets are taken out of its log lines."""
        return take(self.lab, self._poller.heard(), self._secrets, self._validity)

    def samples(self) -> tuple[Sample, ...]:
        with self._noting:
            return tuple(self._samples)

    def _note(self) -> None:
        """Take a sample if the last one is old enough."""
        jms = self._poller.heard()[self.lab.topology.jms.name]
        if jms.answer is None or jms.error:
            return
        with self._noting:
            if self._samples and time.time() - self._samples[-1].at < SAMPLE_SECONDS:
                return
            self._samples.append(sample_of(self.snapshot()))


def take(
    lab: Lab, heard: dict[str, Heard], secrets: frozenset[str] | None, validity: Validity | None
) -> Snapshot:
    """The snapshot of what was heard and of what the lab's folder says now.

    It has no log lines if the secrets are not known, because they could be in there.
    """
    known = Known(load_record(lab.folder), running_drill(lab.folder), validity)
    made = assemble(lab, heard, now=time.monotonic(), wall=time.time(), known=known)
    if secrets is None:
        return replace(made, lines=())
    lines = (replace(it, text=redact_text(it.text, secrets=secrets)) for it in made.lines)
    return replace(made, lines=tuple(lines))


def take_once(lab: Lab) -> Snapshot:
    """Ask every node once.  Errors: those of `LiveLab`."""
    prepare(lab)
    return take(lab, ask_once(lab), load_secrets(lab.folder), Validity.of(lab.folder))


def prepare(lab: Lab) -> None:
    """Make sure that nodes may be asked.  Errors: LabError."""
    prove_local([node.address for node in lab.topology.nodes], lab.topology.network)
    ensure_config(lab)


def sample_of(snapshot: Snapshot) -> Sample:
    """The load that a snapshot shows."""
    totals = snapshot.totals
    return Sample(
        at=round(snapshot.at, 1),
        participants=totals.participants or 0,
        visitors=totals.visitors or 0,
        conferences=totals.conferences or 0,
        stress=max((it.stress or 0.0 for it in snapshot.bridges), default=0.0),
    )
