#!/usr/bin/env python3
"""How a lab grows: seconds and memory of labs with more and more bridges, up to fifty.

    .venv/bin/python benchmarks/scale.py [--bridges 5,15,30,50] [--vnodes 8]
    .venv/bin/python benchmarks/scale.py --bridges 1 --vnodes 8,24,64 --verify

Each size is brought up from its cached images, then asked for its status; with `--verify` the fast
acceptance suite runs, with `--drill NAME` a drill.  A size that fails is told, and the others
follow.  Memory is what the machine has less than before the lab: nodes, and what the engine needs
for them.  What counts is the cost of one node, time and memory: it must not grow by more than a
quarter from the smallest lab to the largest.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.results import FAST_SUITE, Results, Unit, add_options, run_timed  # noqa: E402
from labctl.core.errors import LabError  # noqa: E402
from labctl.lab.fit import available_mib  # noqa: E402
from labctl.topology.layout import resolve  # noqa: E402
from labctl.topology.spec import Spec  # noqa: E402

LAB = "scale"
GROWTH = 1.25
"""The most that a node of the largest lab may cost, in those of the smallest."""
FIGURES = ("up", "memory")
"""What is asked of each node."""
SETTLE_SECONDS = 3.0
BAR = 40


@dataclass(frozen=True, slots=True)
class Size:
    """A lab of one JMS, so many bridges of their own, and so many visitor Prosodies."""

    bridges: int
    vnodes: int

    @property
    def nodes(self) -> int:
        """The JMS, bridges, and the nodes that hold the vnodes."""
        return len(resolve(Spec(jvbs=self.bridges, visitors=self.vnodes)).nodes)

    def __str__(self) -> str:
        return f"{self.bridges} bridges, {self.vnodes} vnodes"


def labctl(*words: str) -> tuple[float, str]:
    """Seconds and output of one call.  Errors: LabError."""
    return run_timed([str(ROOT / ".venv/bin/python"), "-P", "-m", "labctl", *words, "--lab", LAB])


def try_to_measure(size: Size, results: Results, options: argparse.Namespace) -> bool:
    """Whether a size could be measured.  If not, the others are, and what was noted stays."""
    print(f"{size}: {size.nodes} nodes ...", flush=True)
    try:
        measure(size, results, options)
    except LabError as error:
        print(f"  FAILED: {error}", flush=True)
        return False
    up, memory = (results.latest(f"{figure} / node, {size}") for figure in FIGURES)
    print(f"  {up:.2f} s and {memory:.0f} MiB for each node", flush=True)
    return True


def measure(size: Size, results: Results, options: argparse.Namespace) -> None:
    """One lab from nothing to ready, and what is done with it; it is gone afterwards.

    Errors: LabError.
    """
    free = available_mib()
    shape = ("--jvbs", str(size.bridges), "--visitors", str(size.vnodes))
    try:
        seconds, out = labctl(
            "up", *shape, "--network", options.network, "--packages", "stand-ins", "--json"
        )
        results.note(f"up, {size}", seconds)
        for phase, value in json.loads(out)["seconds"].items():
            results.note(f"up, {size}: {phase}", value)
        time.sleep(SETTLE_SECONDS)
        memory = results.note(
            f"memory, {size}", free - available_mib(), kind=Unit.OTHER, unit="MiB"
        )
        results.note(f"up / node, {size}", seconds / size.nodes)
        results.note(f"memory / node, {size}", memory / size.nodes, kind=Unit.OTHER, unit="MiB")
        results.note(f"status, {size}", labctl("status")[0])
        if options.verify:
            results.note(f"verify, {size}", labctl(*FAST_SUITE)[0])
        for name in options.drill:
            results.note(f"drill {name}, {size}", labctl("drill", "run", name)[0])
    finally:
        results.note(f"destroy, {size}", labctl("destroy", "--yes")[0])


def plot(results: Results, sizes: list[Size], figure: str) -> None:
    """The cost of a node at each size, as bars."""
    values = [results.median(f"{figure} / node, {size}") for size in sizes]
    print(f"\n{figure} / node")
    for size, value in zip(sizes, values, strict=True):
        print(f"  {size!s:<24} {'#' * round(BAR * value / max(values)):<{BAR}} {value:.2f}")


def judge(results: Results, sizes: list[Size]) -> bool:
    """Whether a node of the largest lab costs about what one of the smallest does."""
    ratios = []
    for figure in FIGURES:
        first, last = (results.median(f"{figure} / node, {size}") for size in (sizes[0], sizes[-1]))
        name = f"{figure} / node, largest / smallest"
        ratios.append(results.note(name, last / first, kind=Unit.RATIO, aim=GROWTH))
    return max(ratios) <= GROWTH


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    numbers = lambda text: [int(each) for each in text.split(",")]  # noqa: E731
    parser.add_argument("--bridges", type=numbers, default=[5, 15, 30, 50], metavar="N,N,...")
    parser.add_argument("--vnodes", type=numbers, default=[8], metavar="N,N,...")
    parser.add_argument("--runs", type=int, default=1, help="rounds through all sizes")
    parser.add_argument("--network", default="192.168.56.0/24", help="of the lab")
    parser.add_argument("--verify", action="store_true", help="run the fast acceptance suite, too")
    parser.add_argument("--drill", action="append", default=[], metavar="NAME", help="and a drill")
    add_options(parser)
    options = parser.parse_args()
    sizes = [Size(*each) for each in product(options.bridges, options.vnodes)]
    results = Results("scale")
    failed = {
        size
        for _ in range(options.runs)
        for size in sizes
        if not try_to_measure(size, results, options)
    }
    measured = [size for size in sizes if size not in failed]
    flat = len(measured) < 2 or judge(results, measured)
    for figure in FIGURES if measured else ():
        plot(results, measured, figure)
    return max(results.end(options), int(bool(failed) or not flat))


if __name__ == "__main__":
    sys.exit(main())
