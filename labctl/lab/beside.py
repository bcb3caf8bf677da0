"""Work on many labs beside each other: one that fails does not stop the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from labctl.core.errors import LabError
from labctl.core.process import end_running
from labctl.core.progress import NOTICE, Progress

T = TypeVar("T")
Work = Callable[[str, Progress], T]
"""Works on the lab of that name and reports to the progress."""


@dataclass(frozen=True, slots=True)
class LabResult(Generic[T]):
    """What came of one lab: `value`, or the error; `seconds` is how long it took."""

    lab: str
    seconds: float
    value: T | None = None
    error: LabError | None = None


@dataclass(slots=True)
class LabProgress:
    """Progress of one lab among many: every line names the lab, and no notice comes twice."""

    lab: str
    out: Progress
    noticed: set[str] = field(default_factory=set)

    def __call__(self, phase: str, message: str, *, node: str | None = None) -> None:
        if phase != NOTICE:
            self.out(phase, f"{node}: {message}" if node else message, node=self.lab)
        elif message not in self.noticed:
            self.noticed.add(message)
            self.out(phase, f"Lab '{self.lab}': {message}")


def work_beside(
    labs: Sequence[str], work: Work[T], *, at_once: int, progress: Progress
) -> list[LabResult[T]]:
    """Do the same work for each lab, `at_once` of them at a time; results in the labs' order.

    LabErrors are results.  After Ctrl-C no other lab begins, and those that run are ended.
    """
    stopped, noticed = threading.Event(), set[str]()

    def one(lab: str) -> LabResult[T]:
        started = time.monotonic()
        said = LabProgress(lab, progress, noticed)
        try:
            if stopped.is_set():
                raise LabError("It was not begun.")
            value = work(lab, said)
        except LabError as error:
            said("failed", error.message.partition("\n")[0])
            return LabResult(lab, time.monotonic() - started, error=error)
        return LabResult(lab, time.monotonic() - started, value)

    with ThreadPoolExecutor(max_workers=max(1, at_once)) as pool:
        futures = [pool.submit(one, lab) for lab in labs]
        try:
            wait(futures)
        except BaseException:
            stopped.set()
            # More than once, as a lab may be between two programs.
            while not all(future.done() for future in futures):
                end_running(grace=10)
                wait(futures, timeout=0.2)
            raise
    return [future.result() for future in futures]
