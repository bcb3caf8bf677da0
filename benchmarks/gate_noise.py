#!/usr/bin/env python3
"""Does the gate cry wolf, and does it miss what it should see?  Gates under random load.

    .venv/bin/python benchmarks/gate_noise.py --gates 20              # the same packages twice
    .venv/bin/python benchmarks/gate_noise.py --gates 20 --slower 2   # a bridge that sleeps 2 s
    .venv/bin/python benchmarks/gate_noise.py --simulated 1000        # no labs, runs made up

Packages are stand-ins.  While gates run, processes come and go that do nothing but use a processor:
5 to 60 s of them, then 5 to 40 s of none, one process up to two for each processor.  What is left
out is the acceptance suite, for it is seconds that load makes red.  The aims: no FAIL with the same
packages, and with the slower bridge a FAIL in 19 of 20 gates.  Each verdict is printed
as it comes, so a run that is ended early says how far it came.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.packages import build_stand_ins  # noqa: E402
from labctl.gate.compare import judge_gate  # noqa: E402
from labctl.gate.job import Found  # noqa: E402
from labctl.gate.model import CaseOutcome, Gate, GateCase, Severity, Trouble  # noqa: E402
from labctl.gate.pairing import try_in_turn  # noqa: E402
from labctl.gate.run import GatePlan, plan_sides  # noqa: E402
from labctl.gate.side import SideLab, side_lab  # noqa: E402
from tests.gate.simulated import simulated_sides  # noqa: E402

KINDS = ("quiet", "steady", "bursts", "rising", "heavy")
RUNS = 3


@dataclass
class Timed:
    """A side of which only seconds are wanted."""

    lab: SideLab

    @property
    def found(self) -> Found:
        return self.lab.found

    @property
    def trouble(self) -> Trouble | None:
        return self.lab.trouble

    def run(self, *, exam: bool) -> None:
        self.lab.run(exam=False)


@contextmanager
def random_load(seed: int, *, most: int) -> Iterator[None]:
    """Others, who come and go, until the block ends.

    A process of their own starts them: what this process starts counts as labctl's.
    """
    argv = [sys.executable, __file__, "--disturb", str(seed), "--processes", str(most)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as others:
        try:
            yield
        finally:
            others.communicate()


def disturb(seed: int, *, most: int) -> None:
    """Use processors at random until the standard input ends."""
    rng = random.Random(seed)
    while not _ended(rng.uniform(5, 40)):
        burning = [
            subprocess.Popen([sys.executable, "-c", "while True: pass"], stdin=subprocess.DEVNULL)
            for _ in range(rng.randint(1, most))
        ]
        try:
            _ended(rng.uniform(5, 60))
        finally:
            for each in burning:
                each.kill()
                each.wait()


def _ended(seconds: float) -> bool:
    import select

    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready)


def tell_runs(phase: str, message: str, *, node: str | None = None) -> None:
    """Of all that labctl says, what each run had."""
    if phase == "gate":
        print(f"    {message}", flush=True)


def one_gate(plan: GatePlan) -> Gate:
    """One gate without its suite: that counts as passed on both sides."""
    with ExitStack() as stack:
        labs = [stack.enter_context(side_lab(job, progress=tell_runs)) for job in plan_sides(plan)]
        try_in_turn([Timed(lab) for lab in labs], runs=RUNS)
    tests = (GateCase("suite", CaseOutcome.PASSED),)
    baseline, candidate = (replace(lab.found.done(), tests=tests) for lab in labs)
    return judge_gate(candidate, baseline)


def tell(number: int, gate: Gate, *, seconds: float) -> None:
    """A line about one gate."""
    sides = [gate.candidate, *([gate.baseline] if gate.baseline else [])]
    lost = sorted(up.load.lost for side in sides for up in side.ups if up.load)
    share = f"{lost[0]:.0%}-{lost[-1]:.0%}" if lost else "?"
    deciding = (Severity.FAIL, Severity.UNDECIDED)
    why = [f"{e.subject}: {e.text}" for e in gate.findings if e.severity in deciding]
    why += [f"{side.label}: {side.trouble.message}" for side in sides if side.trouble]
    print(
        f"gate {number}: {gate.word}, {len(gate.candidate.ups)} pairs, others had {share}, "
        f"{seconds:.0f} s, load average {os.getloadavg()[0]:.1f}; {gate.reason}",
        *why,
        sep="\n    ",
        flush=True,
    )


def run_real(arguments: argparse.Namespace) -> Counter[str]:
    """Gates with labs, one after the other."""
    words: Counter[str] = Counter()
    flags = {"network": arguments.network, "jvbs": "1", "visitors": "1"}
    with tempfile.TemporaryDirectory(prefix="gate-noise-") as scratch:
        folder = Path(scratch)
        debs = {
            side: build_stand_ins(folder / side, line=f"sleep {slower:g}" if slower else "")
            for side, slower in (("baseline", 0.0), ("candidate", arguments.slower))
        }
        sources = {side: f"debs:{path}" for side, path in debs.items()}
        for number in range(1, arguments.gates + 1):
            report = folder / f"gate-{number}"
            plan = GatePlan(folder=report, runs=RUNS, stand_ins=True, flags=flags, **sources)
            began = time.monotonic()
            with random_load(arguments.seed + number, most=arguments.processes):
                gate = one_gate(plan)
            words[str(gate.word)] += 1
            tell(number, gate, seconds=time.monotonic() - began)
    return words


def run_simulated(gates: int, *, slower: float) -> Iterator[tuple[str, Counter[str]]]:
    """Gates whose runs are made up (tests/gate/simulated.py), by kind of load."""
    for kind in KINDS:
        words: Counter[str] = Counter()
        for seed in range(gates):
            baseline, candidate = simulated_sides(kind, seed, slower=slower)
            try_in_turn((baseline, candidate), runs=RUNS)
            words[str(judge_gate(candidate.found.done(), baseline.found.done()).word)] += 1
        yield kind, words


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gates", type=int, default=20)
    parser.add_argument("--slower", type=float, default=0.0, help="seconds that the bridge sleeps")
    parser.add_argument("--network", default="192.168.56.0/24")
    parser.add_argument("--processes", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--simulated", type=int, metavar="GATES", help="gates without labs")
    parser.add_argument("--disturb", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.disturb is not None:
        disturb(arguments.disturb, most=arguments.processes)
    elif arguments.simulated:
        for kind, words in run_simulated(arguments.simulated, slower=arguments.slower):
            print(f"{kind}: {dict(words)}", flush=True)
    else:
        print(f"verdicts: {dict(run_real(arguments))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
