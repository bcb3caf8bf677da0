#!/usr/bin/env python3
"""Two thousand visitors in one room, held for a minute, and what each costs this machine.

    bin/labctl up --lab benchmark --jvbs 1 --visitors 1
    .venv/bin/python benchmarks/crowd.py --lab benchmark [--visitors 2000] [--rate 20] [--hold 60]
    .venv/bin/python benchmarks/crowd.py --lab large --visitors 16000 --processes 2 --rate 200

Memory is the growth of this process from before the first joins until all are in the room, divided
by their number; CPU time is that of this process.  With more processes only seconds and losses are
noted.  Nodes and crowd share the machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import secrets
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.results import Results, Unit, add_options  # noqa: E402  after the path is known
from labctl.cli.crowdtable import Lines, print_figures  # noqa: E402
from labctl.crowd import Target  # noqa: E402
from labctl.crowd.figures import Figures  # noqa: E402
from labctl.crowd.many import run_many  # noqa: E402
from labctl.crowd.run import CrowdPlan, CrowdStage, spare_collector  # noqa: E402
from labctl.crowd.shares import find_places  # noqa: E402
from labctl.crowd.sync import new_loop  # noqa: E402
from labctl.topology.lab import Lab  # noqa: E402
from labctl.topology.workdir import Workdir  # noqa: E402


def resident() -> int:
    """Bytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


class Watch:
    """Passes on how the crowd goes, and notes time, CPU and memory at each stage's beginning."""

    def __init__(self, room: str) -> None:
        self.lines = Lines(room)
        self.marks: dict[CrowdStage, tuple[float, float, int]] = {}

    def __call__(self, stage: CrowdStage, figures: Figures) -> None:
        self.lines(stage, figures)
        if stage not in self.marks:
            self.marks[stage] = (time.monotonic(), cpu(), resident())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", required=True, help="a running lab with a vnode")
    parser.add_argument("--participants", type=int, default=3)
    parser.add_argument("--visitors", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=20, help="how many begin a second at most")
    parser.add_argument("--processes", type=int, default=1, help="for the visitors")
    parser.add_argument("--hold", type=float, default=60, help="seconds")
    add_options(parser)
    options = parser.parse_args()
    lab = Lab.load(Workdir.of(options.lab))
    target, alone = Target.of(lab), options.processes == 1
    plan = CrowdPlan(options.participants, options.visitors, options.hold, options.rate)
    watch = Watch(f"benchmark-{secrets.token_hex(3)}")
    target.context()
    spare_collector()
    began, spent, empty, results = time.monotonic(), cpu(), resident(), Results("crowd")
    places = find_places(options.processes)
    crowd = run_many(target, watch.lines.room, plan, places=places, show=watch)
    with asyncio.Runner(loop_factory=new_loop) as runner:
        outcome = runner.run(crowd)
    print_figures(outcome.figures)
    if CrowdStage.HOLDING in watch.marks:
        held, used, full = watch.marks[CrowdStage.HOLDING]
        results.note("all in", held - began)
        if alone:
            left, then, _ = watch.marks.get(CrowdStage.LEAVING, (held, used, full))
            entry, stay = (used - spent) / plan.total, (then - used) / max(left - held, 0.1)
            memory = (full - empty) / plan.total / 1000
            results.note("memory of each", memory, kind=Unit.OTHER, unit="kB")
            results.note("each comes in", entry * 1000, kind=Unit.CPU, unit="ms CPU")
            results.note("a second, while all stay", stay, kind=Unit.CPU)
    worse = results.end(options)
    return worse if outcome.figures.well else 1


if __name__ == "__main__":
    sys.exit(main())
