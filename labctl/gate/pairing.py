"""Runs of both sides in pairs: in turn, or beside each other, until their figures say enough."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from typing import Protocol

from labctl.core.process import end_running
from labctl.gate.beside import Beside
from labctl.gate.compare import compare_sides
from labctl.gate.job import Found
from labctl.gate.model import Trouble
from labctl.gate.timing import wants_pair

END_SECONDS = 30.0
"""How long a side that runs beside another one may take to end after an interruption."""


class Turn(Protocol):
    """A side, as far as its turn is concerned."""

    @property
    def found(self) -> Found: ...

    @property
    def trouble(self) -> Trouble | None: ...

    def run(self, *, exam: bool) -> None: ...


def try_in_turn(labs: Sequence[Turn], *, runs: int) -> None:
    """Run the sides in turn, A B, B A, A B, until their figures say enough.

    Both runs of a pair see about the same of what else goes on here, and as each is the first
    as often as the other, a machine that becomes busier (or less busy) favours neither.
    """
    try_pairs(labs, runs=runs, beside=None)


def try_pairs(labs: Sequence[Turn], *, runs: int, beside: Beside | None) -> None:
    """Run the sides in pairs, in turn or beside each other; runs that are over are not repeated."""
    pairs = min(lab.found.runs for lab in labs)
    while not _over(labs, pairs=pairs, runs=runs):
        order = labs if pairs % 2 == 0 else list(reversed(labs))
        left = [lab for lab in order if lab.found.runs <= pairs]
        if beside is not None:
            _run_together(left, exam=pairs == 0, beside=beside)
        else:
            for lab in left:
                _run_one(lab, exam=pairs == 0)
                if lab.trouble is not None:
                    return
        pairs += 1


def _run_one(lab: Turn, *, exam: bool) -> None:
    lab.run(exam=exam)
    if lab.trouble is None:
        lab.found.finish_run()


def _run_together(labs: Sequence[Turn], *, exam: bool, beside: Beside) -> None:
    """One run of each at the same time.  Only the main thread is interrupted by Ctrl-C.

    Threads that wait for something that cannot be ended, such as another labctl's images, are left
    behind then, and end with this program."""
    beside.begin()
    if len(labs) < beside.parties:
        beside.alone()
    failed: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def work(lab: Turn) -> None:
        try:
            _run_one(lab, exam=exam)
        except BaseException as error:
            failed.put(error)
        else:
            failed.put(None)

    threads = [threading.Thread(target=work, args=(lab,), daemon=True) for lab in labs]
    try:
        for thread in threads:
            thread.start()
        for _ in threads:
            error = failed.get()
            if error is not None:
                raise error
    except BaseException:
        beside.stop()
        end_running()
        for thread in threads:
            thread.join(END_SECONDS)
        raise


def _over(labs: Sequence[Turn], *, pairs: int, runs: int) -> bool:
    if any(lab.trouble is not None for lab in labs):
        return True
    return pairs > 0 and not _wants_more(labs, pairs=pairs, runs=runs)


def _wants_more(labs: Sequence[Turn], *, pairs: int, runs: int) -> bool:
    if len(labs) < 2:
        return pairs < runs
    baseline, candidate = (lab.found.side for lab in labs)
    return wants_pair(compare_sides(candidate, baseline), pairs=pairs, runs=runs)
