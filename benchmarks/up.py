#!/usr/bin/env python3
"""How long `labctl up` takes: cold, with images cached, with one key changed, on a lab that is up.

    .venv/bin/python benchmarks/up.py [--cold] [--runs 3] [--network 192.168.56.0/24]
    .venv/bin/python benchmarks/up.py --verify --before ../earlier

Every figure is of one run of this script on one machine.  What a second `up` costs is compared
with `vagrant status` of the same lab, run in turn with it.  `--cold` bakes all images anew first.
`--verify` also runs the fast acceptance suite.  With `--before`, the root of an earlier version,
both bring up their lab with cached images in turn: on a busy machine only that ratio counts.
Each cached `up` is told with its critical path: which node's which step held up the end.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.results import FAST_SUITE, Results, add_options, run_timed  # noqa: E402

LAB = "benchmark"
SHAPE = ("--jvbs", "2", "--visitors", "8", "--packages", "stand-ins")
CACHED, COLD, CHANGED = "up, images cached", "up, cold", "up, one key changed"
AGAIN, STATUS, DOWN = "up again", "vagrant status", "down"
AIMS = {CACHED: 8.0, CHANGED: 4.0, DOWN: 3.0}
VERIFY, VERIFY_AIM = "verify (fast acceptance)", 20.0


@dataclass(frozen=True, slots=True)
class Side:
    """One version of labctl, and the lab that it brings up."""

    root: Path
    lab: str
    network: str

    def labctl(self, *words: str) -> tuple[float, str]:
        """Seconds and output of one call; `bin/labctl` would look at the environment first."""
        python = self.root / ".venv" / "bin" / "python"
        argv = [python, "-P", "-m", "labctl", *words, "--lab", self.lab]
        os.environ["PYTHONPATH"] = str(self.root)
        return run_timed(argv)

    def up(self, *more: str) -> tuple[float, dict[str, object]]:
        seconds, out = self.labctl("up", *SHAPE, "--network", self.network, "--json", *more)
        return seconds, json.loads(out)

    def status(self) -> float:
        """Seconds of Vagrant's own `status`."""
        folder = self.root / ".lab" / self.lab
        found = {"VAGRANT_DOTFILE_PATH": folder / "vagrant", "LABCTL_WORKDIR": folder}
        os.environ.update({name: str(path) for name, path in found.items()})
        os.environ["VAGRANT_CHECKPOINT_DISABLE"] = "1"
        return run_timed(["vagrant", "status"])[0]


def tell(title: str, seconds: float, told: dict[str, object]) -> None:
    """One `up`: its total, its phases, and the critical path where this version tells it."""
    phases = told["seconds"]
    assert isinstance(phases, dict)
    shown = "  ".join(f"{name} {value:.1f}" for name, value in phases.items())
    print(f"{title:<24} {seconds:6.1f} s   {shown}", flush=True)
    path = told.get("path", [])
    assert isinstance(path, list)
    for step in path:
        where = f"{step['node']}: " if step["node"] else ""
        print(f"{'':<24} {step['seconds']:6.2f} s   {step['phase']}: {where}{step['what']}")


def cached_up(side: Side, results: Results, *, name: str) -> None:
    """One `up` from nothing but images, with its phases as figures of their own."""
    seconds, told = side.up()
    tell(name, results.note(name, seconds, aim=AIMS.get(name)), told)
    phases = told["seconds"]
    assert isinstance(phases, dict)
    for phase, value in phases.items():
        results.note(f"{name}: {phase}", value)


def measure(sides: dict[str, Side], results: Results, options: argparse.Namespace) -> None:
    now = sides[CACHED]
    if options.cold:
        seconds, told = now.up("--refresh")
        tell(COLD, results.note(COLD, seconds), told)
    for turn in range(options.runs):
        order = list(sides) if turn % 2 == 0 else list(reversed(sides))
        for name in order:
            for side in sides.values():
                remove(side, "down")
            cached_up(sides[name], results, name=name)
        if order[-1] != CACHED:
            remove(sides[order[-1]], "down")
            now.up()
        results.note(AGAIN, now.up()[0])
        results.note(STATUS, now.status())
        if options.verify:  # while the lab has as many seats as it is made with: all are filled
            results.note(VERIFY, now.labctl(*FAST_SUITE)[0], aim=VERIFY_AIM)
        participants = str(40 + turn)
        results.note(CHANGED, now.up("--max-participants", participants)[0], aim=AIMS[CHANGED])
        results.note(DOWN, now.labctl("down")[0], aim=AIMS[DOWN])
    results.ratio(f"{AGAIN} / {STATUS}", over=AGAIN, under=STATUS, aim=0.7)
    for name in sides:
        if name != CACHED:
            results.ratio("now / before", over=CACHED, under=name)


def remove(side: Side, verb: str) -> None:
    """The lab's machines, if it has any."""
    if (side.root / ".lab" / side.lab).exists():
        side.labctl(verb)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cold", action="store_true", help="bake all images anew first")
    parser.add_argument("--verify", action="store_true", help="run the fast acceptance suite, too")
    parser.add_argument("--runs", type=int, default=3, help="runs per figure")
    parser.add_argument("--before", type=Path, metavar="ROOT", help="an earlier version beside it")
    parser.add_argument("--network", default="192.168.56.0/24", help="of the lab")
    add_options(parser)
    options = parser.parse_args()
    sides = {CACHED: Side(ROOT, LAB, options.network)}
    if options.before:
        # One network for both: they take turns, and each is down while the other is measured.
        sides["up before, images cached"] = Side(
            options.before.resolve(), f"{LAB}-before", options.network
        )
    print(f"{os.cpu_count()} cores; JMS + 2 bridges + 8 vnodes, docker, stand-ins")
    results = Results("up")
    try:
        measure(sides, results, options)
    finally:
        for side in sides.values():
            remove(side, "destroy")
    return results.end(options)


if __name__ == "__main__":
    sys.exit(main())
