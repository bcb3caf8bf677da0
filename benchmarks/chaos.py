#!/usr/bin/env python3
"""Whether a lab converges after labctl was killed: SIGKILL at random instants of `up` and `down`.

    .venv/bin/python benchmarks/chaos.py [--rounds 50] [--seed N] [--network 192.168.77.0/24]

In each round `up` (from nothing, or with one key changed) or `down` is killed with its process
group after a random time, in every second round with all programs that it has started.  The next
`up` must end media-ready.  At the end `destroy` must leave nothing: no container, network,
interface, process or file.  The same seed chooses the same verbs and instants.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LABCTL = str(ROOT / "bin" / "labctl")
LAB = "chaos"
SHAPE = ("--jvbs", "0", "--visitors", "1", "--visitors-layout", "local", "--packages", "stand-ins")
MARK = "LABCTL_CHAOS"
LONGEST = {"up": 15.0, "change": 8.0, "down": 4.0}
"""The latest instant of a kill, in seconds: a little more than each takes."""


@dataclass(frozen=True)
class Round:
    """One kill, and how the next `up` ended."""

    verb: str
    after: float
    children: bool
    ended_first: bool
    seconds: float
    problem: str


def labctl(*words: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LABCTL, *words, "--lab", LAB], cwd=ROOT, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=timeout,
    )  # fmt: skip


def processes(run: str) -> Iterator[int]:
    """What a labctl of ours has started, by its environment."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{MARK}={run}".encode() in path.read_bytes().split(b"\0"):
                yield int(path.parent.name)


def kill(words: list[str], *, after: float, children: bool) -> bool:
    """Start labctl and kill it; true if it had ended before."""
    run = uuid.uuid4().hex
    child = subprocess.Popen(
        [LABCTL, *words, "--lab", LAB], cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, MARK: run},
    )  # fmt: skip
    time.sleep(after)
    ended = child.poll() is not None
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    if children:
        for pid in processes(run):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    child.wait()
    return ended


def play(chance: random.Random, number: int, *, network: str) -> Round:
    verb = chance.choice(list(LONGEST))
    after, children = chance.uniform(0.05, LONGEST[verb]), number % 2 == 1
    up = ["up", "--network", network, *SHAPE]
    if verb == "up":
        labctl("down")
    given = {"up": up, "change": [*up, "--max-participants", str(5 + number)], "down": ["down"]}
    ended = kill(given[verb], after=after, children=children)
    began = time.monotonic()
    done = labctl(*up, "--json")
    seconds = time.monotonic() - began
    problem = "" if done.returncode == 0 else done.stderr[-800:]
    if not problem and (status := labctl("status")).returncode != 0:
        problem = status.stdout[-800:]
    return Round(verb, round(after, 2), children, ended, round(seconds, 1), problem)


def leftovers(network: str) -> list[str]:
    """What is left of the lab on this machine, in words."""
    gateway = network.rpartition(".")[0] + ".1/32"
    asked = {
        "container": ["docker", "ps", "-a", "-q", "--filter", f"label=labctl.lab={LAB}"],
        "network": ["docker", "network", "ls", "-q", "--filter", f"label=labctl.lab={LAB}"],
        "interface": ["ip", "-br", "-4", "addr", "show", "to", gateway],
    }
    found = []
    for what, words in asked.items():
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        found += [f"{what}: {line}" for line in said.splitlines()]
    found += [f"file: {path}" for path in (ROOT / ".lab").glob(f"*{LAB}*")]
    mine = f"/.lab/{LAB}/".encode()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if mine in path.read_bytes():
                found.append(f"process: {path.parent.name}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--network", default="192.168.77.0/24")
    parser.add_argument("--json", type=Path, help="write the rounds to this file")
    options = parser.parse_args()
    chance, rounds = random.Random(options.seed), list[Round]()
    print(f"seed {options.seed}, {options.rounds} rounds", flush=True)
    try:
        for number in range(options.rounds):
            done = play(chance, number, network=options.network)
            rounds.append(done)
            how = "with its children" if done.children else "alone"
            early = ", had ended" if done.ended_first else ""
            print(
                f"{number + 1:3d}  {done.verb:<7} killed {how} after {done.after:5.2f} s{early};"
                f" up: {done.seconds:5.1f} s  {'FAILED' if done.problem else 'ready'}",
                flush=True,
            )
            if done.problem:
                print(done.problem, flush=True)
    finally:
        labctl("destroy")
    left = leftovers(options.network)
    good = sum(not each.problem for each in rounds)
    print(f"{good} of {len(rounds)} converged; left: {', '.join(left) or 'nothing'}")
    if options.json:
        data = {"seed": options.seed, "rounds": [asdict(each) for each in rounds], "left": left}
        options.json.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    return 0 if good == len(rounds) and not left else 1


if __name__ == "__main__":
    sys.exit(main())
