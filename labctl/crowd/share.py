"""A part of a crowd's visitors, in a process of its own.

    python -m labctl.crowd.share        # started by labctl.crowd.many and by nobody else

It is told what to do on its standard input: first a line with an `Order`, then the words of `Word`;
the input's end means LEAVE.  On its standard output it says how it goes, a line of JSON each time
(`Said`).
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.plain import from_plain, to_plain
from labctl.crowd.figures import Figures, History
from labctl.crowd.run import CrowdPlan, CrowdStage, run_crowd, spare_collector
from labctl.crowd.sync import new_loop
from labctl.crowd.target import Target
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir


class Word(StrEnum):
    """What the process that started this one says after the order."""

    BEGIN = "begin"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Order:
    """Who comes: so many visitors, `rate` a second, to a room of the lab in `folder`.

    `keys` is the file for the secrets of TLS, if there is one.
    """

    folder: str
    room: str
    visitors: int
    rate: float
    keys: str | None = None

    def target(self) -> Target:
        """Where they go.  Errors: LabError if there is no lab in the folder."""
        keys = Path(self.keys) if self.keys is not None else None
        return Target.of(Lab.load(Workdir(Path(self.folder))), keys=keys)


@dataclass(frozen=True, slots=True)
class Said:
    """One line: how it goes, or how it ended.

    `people` are there once all have left, `failure` (and a hint) if the crowd could not be.
    """

    stage: CrowdStage = CrowdStage.JOINING
    figures: Figures = field(default_factory=Figures)
    people: Sequence[History] | None = None
    failure: str | None = None
    hint: str | None = None

    def to_line(self) -> bytes:
        return json.dumps({**to_plain(self), "figures": self.figures.to_json()}).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> Said:
        """Errors: ValueError for what is no such line."""
        return from_plain(cls, json.loads(line))


class Orders:
    """The words that came on the standard input, for the loop that waits for them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = {word: asyncio.Event() for word in Word}
        threading.Thread(target=self._listen, daemon=True).start()

    async def wait(self, word: Word) -> None:
        await self._heard[word].wait()

    def has(self, word: Word) -> bool:
        return self._heard[word].is_set()

    def _listen(self) -> None:
        for line in sys.stdin:
            self._hear(Word(line.strip()))
        self._hear(Word.LEAVE)  # nobody is there any more who could say it

    def _hear(self, word: Word) -> None:
        """Whoever waits to begin need not do so if all shall leave."""
        for each in {word, Word.BEGIN}:
            self._loop.call_soon_threadsafe(self._heard[each].set)


def say(said: Said) -> None:
    sys.stdout.buffer.write(said.to_line())
    sys.stdout.buffer.flush()


async def play(order: Order, target: Target) -> Sequence[History]:
    """Wait for BEGIN, let them come, and let them go at LEAVE; what became of them."""
    orders, plan = Orders(), CrowdPlan(0, order.visitors, hold=0, rate=order.rate)
    stage = CrowdStage.JOINING

    def show(now: CrowdStage, figures: Figures) -> None:
        nonlocal stage
        stage = now
        say(Said(now, figures))

    await orders.wait(Word.BEGIN)
    if orders.has(Word.LEAVE):
        return ()
    staying = partial(orders.wait, Word.LEAVE)
    crowd = asyncio.create_task(run_crowd(target, order.room, plan, show=show, stay=staying))
    leave = asyncio.create_task(staying())
    await asyncio.wait({crowd, leave}, return_when=asyncio.FIRST_COMPLETED)
    leave.cancel()
    if stage not in (CrowdStage.HOLDING, CrowdStage.LEAVING):
        crowd.cancel()  # as Ctrl-C does while a crowd comes in
    return (await crowd).histories


def serve(make_target: Callable[[Order], Target] = Order.target) -> None:
    """Do what the standard input says, and say on the standard output how it goes."""
    spare_collector()
    try:
        order = from_plain(Order, json.loads(sys.stdin.readline()))
        target = make_target(order)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            histories = runner.run(play(order, target))
    except LabError as error:
        say(Said(failure=error.message, hint=error.hint))
        return
    say(Said(CrowdStage.LEAVING, people=histories))


if __name__ == "__main__":
    serve()
