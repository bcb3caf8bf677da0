"""A part of a crowd's visitors, in a process of its own, here or on another machine of the lab.

    python -m labctl.crowd.share        # started by labctl.crowd.many and by nobody else

It is told what to do on its standard input: first a line with an `Order`, then the words of `Word`;
the input's end means LEAVE.  On its standard output it says how it goes, a line of JSON each time
(`Said`), and every few seconds that it is still there.

On another machine it has this package, `labctl.core`, `labctl.topology` and Python's own library,
and nothing else (`labctl.providers.docker.crowdimage`).
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.plain import from_plain, to_plain
from labctl.core.waiting import Patience
from labctl.crowd.admission import Admission
from labctl.crowd.errors import CrowdError
from labctl.crowd.figures import Figures, History
from labctl.crowd.run import CrowdPlan, CrowdStage, run_crowd, spare_collector
from labctl.crowd.sync import new_loop
from labctl.crowd.target import Target, prover

TELL_EVERY = 5.0
"""Seconds between two lines at most: silence then means that a machine is lost."""

DISCARD_PORT = 9


class Word(StrEnum):
    """What the process that started this one says after the order."""

    BEGIN = "begin"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Order:
    """Who comes: so many visitors, `rate` a second, to a room of a lab; and all of its target.

    The process needs no file of the lab: `ca` is PEM, `patience` the factor, and `admission` has
    the lab's secrets.  `keys` is the file for the secrets of TLS, if there is one; with `away` the
    process is on another machine, in the lab's network.
    """

    room: str
    visitors: int
    rate: float
    address: IPv4Address
    port: int
    domain: str
    network: IPv4Network
    ca: str
    patience: float = 1.0
    admission: Admission = field(default_factory=Admission)
    keys: str | None = None
    away: bool = False

    @classmethod
    def of(
        cls, target: Target, room: str, *, visitors: int, rate: float, away: bool = False
    ) -> Order:
        """The order for visitors of a target.  Errors: CrowdError if its CA cannot be read."""
        return cls(
            room,
            visitors,
            rate,
            target.address,
            target.port,
            target.domain,
            target.network,
            target.authority(),
            target.patience.factor,
            target.admission,
            str(target.keys) if target.keys is not None else None,
            away,
        )

    def target(self) -> Target:
        """Where they go; its network is proven before the first packet."""
        return Target(
            self.address,
            self.port,
            self.domain,
            Path("ca.crt"),
            prover_inside(self.network) if self.away else prover(self.network),
            Patience(self.patience),
            admission=self.admission,
            keys=Path(self.keys) if self.keys is not None else None,
            network=self.network,
            ca=self.ca,
        )


def prover_inside(network: IPv4Network) -> Callable[[IPv4Address], None]:
    """For `Target.prove` in a container of another machine, which is in the lab's network only.

    The kernel says with which address of its own it would send; nothing is sent for that.
    """

    def prove(address: IPv4Address) -> None:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.connect((str(address), DISCARD_PORT))
                own = IPv4Address(probe.getsockname()[0])
        except OSError as error:
            raise CrowdError(f"There is no way to '{address}': {error.strerror}.") from error
        if address not in network or own not in network:
            raise CrowdError(
                f"Packets to '{address}' would be sent from '{own}' and not from the lab's network"
                f" {network}, so none is sent."
            )

    return prove


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


class Teller:
    """Says how it goes whenever that changes, and again while it does not."""

    def __init__(self) -> None:
        self.stage, self._figures = CrowdStage.JOINING, Figures()

    def show(self, stage: CrowdStage, figures: Figures) -> None:
        self.stage, self._figures = stage, figures
        say(Said(stage, figures))

    async def repeat(self) -> None:
        while True:
            say(Said(self.stage, self._figures))
            await asyncio.sleep(TELL_EVERY)


async def play(order: Order, target: Target) -> Sequence[History]:
    """Wait for BEGIN, let them come, and let them go at LEAVE; what became of them."""
    teller = Teller()
    repeating = asyncio.create_task(teller.repeat())
    try:
        return await _come(order, target, teller)
    finally:
        repeating.cancel()


async def _come(order: Order, target: Target, teller: Teller) -> Sequence[History]:
    orders, plan = Orders(), CrowdPlan(0, order.visitors, hold=0, rate=order.rate)
    await orders.wait(Word.BEGIN)
    if orders.has(Word.LEAVE):
        return ()
    staying = partial(orders.wait, Word.LEAVE)
    crowd = asyncio.create_task(run_crowd(target, order.room, plan, show=teller.show, stay=staying))
    leave = asyncio.create_task(staying())
    await asyncio.wait({crowd, leave}, return_when=asyncio.FIRST_COMPLETED)
    leave.cancel()
    if teller.stage not in (CrowdStage.HOLDING, CrowdStage.LEAVING):
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
