#!/usr/bin/env python3
"""Whether a lab converges after labctl was killed: SIGKILL at random instants of its verbs.

    .venv/bin/python benchmarks/chaos.py [--rounds 50] [--seed N] [--network 192.168.77.0/24]
    .venv/bin/python benchmarks/chaos.py --verbs build,verify,drill,gate

In each round a verb is killed with its process group after a random time, in every second round
with all programs that it has started: `up` from nothing, `up` with one key changed ('change'),
`down`, `verify`, `drill run`, `build` of packages that are new, `gate` of the same.  The next `up`
must end media-ready, and what was built or judged must end well when it is asked for again.  At the
end `destroy` must leave nothing: no container, network, interface, process or file that was not
there before.  The same seed chooses the same verbs and instants.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.packages import build_stand_ins  # noqa: E402  after the path is known
from labctl.lab.network import moved  # noqa: E402

LABCTL = str(ROOT / "bin" / "labctl")
LAB = "chaos"
SHAPE = ("--jvbs", "0", "--visitors", "1", "--visitors-layout", "local", "--packages", "stand-ins")
MARK = "LABCTL_CHAOS"
LONGEST = {
    "up": 15.0, "change": 8.0, "down": 4.0, "verify": 15.0, "drill": 20.0, "build": 20.0,
    "gate": 60.0,
}  # fmt: skip
"""The latest instant of a kill, in seconds: a little more than each takes."""
AGAIN = ("build", "gate")
"""What is asked for again after the kill, and must then end well."""
LABS = (LAB, "gate-candidate")


@dataclass(frozen=True)
class Round:
    """One kill, and how the next `up` ended."""

    verb: str
    after: float
    children: bool
    ended_first: bool
    seconds: float
    problem: str


def labctl(
    *words: str, lab: str | None = LAB, timeout: float = 900
) -> subprocess.CompletedProcess[str]:
    named = ("--lab", lab) if lab is not None else ()
    return subprocess.run(
        [LABCTL, *words, *named], cwd=ROOT, stdin=subprocess.DEVNULL,
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
        [LABCTL, *words], cwd=ROOT, stdin=subprocess.DEVNULL,
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


def words_of(verb: str, number: int, *, network: str, folder: Path) -> list[str]:
    """The command that is killed, and afterwards perhaps run again."""
    lab, up = ["--lab", LAB], ["up", "--network", network, *SHAPE]
    if verb in AGAIN:
        debs = build_stand_ins(folder / str(number), line=f"# {uuid.uuid4().hex}")
        packages = f"debs:{debs}"  # no image has them yet
        if verb == "build":
            return ["build", "--jvbs", "0", "--visitors", "0", "--packages", packages]
        quick = ["--quick", "--allow-stand-ins", "--jvbs", "0", "--visitors", "0"]
        other = moved(IPv4Network(network), by=1)  # the lab's own runs
        return ["gate", "--candidate", packages, "--network", str(other), *quick]
    words = {
        "up": up,
        "change": [*up, "--max-participants", str(5 + number)],
        "down": ["down"],
        "verify": ["verify", "-m", "not slow"],
        "drill": ["drill", "run", "bridge-kill-restart", "vnode-stop"],
    }
    return [*words[verb], *lab]


def play(chance: random.Random, number: int, options: argparse.Namespace, folder: Path) -> Round:
    verb = chance.choice(options.verbs)
    after, children = chance.uniform(0.05, LONGEST[verb]), number % 2 == 1
    words = words_of(verb, number, network=options.network, folder=folder)
    if verb == "up":
        labctl("down")
    ended = kill(words, after=after, children=children)
    began = time.monotonic()
    # The next 'up' sets its setting back, whatever the killed one had come to.
    steps = [labctl("up", "--network", options.network, *SHAPE, "--json"), labctl("status")]
    if verb in AGAIN:
        steps.append(labctl(*words, lab=None))
    seconds = time.monotonic() - began
    bad = [f"{step.stdout[-800:]}{step.stderr[-800:]}" for step in steps if step.returncode]
    return Round(verb, round(after, 2), children, ended, round(seconds, 1), "\n".join(bad))


def listing() -> set[str]:
    """Containers, networks and ids of images of this machine's engine, and its interfaces."""
    asked = {
        "container": ["docker", "ps", "-a", "--format", "{{.Names}}"],
        "network": ["docker", "network", "ls", "--format", "{{.Name}}"],
        "interface": ["ip", "-br", "link", "show"],
        "image": ["docker", "images", "--format", "{{.ID}}"],
    }
    found = set()
    for what, words in asked.items():
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        found |= {f"{what}: {line.split()[0]}" for line in said.splitlines()}
    return found


def remove_new_images(before: set[str]) -> None:
    """labctl keeps images on purpose; those of packages that were made up here are of no use.

    A bake that was killed may leave one without a name, which a bake an hour later removes.
    """
    added = [each.partition(" ")[2] for each in listing() - before if each.startswith("image")]
    if added:
        subprocess.run(["docker", "rmi", *added], capture_output=True, check=False)


def leftovers(before: set[str]) -> list[str]:
    """What is left on this machine that was not there before, in words."""
    found = sorted(listing() - before)
    for lab in LABS:
        found += [f"file: {path}" for path in (ROOT / ".lab").glob(f"*{lab}*")]
    mine = tuple(f"/.lab/{lab}/".encode() for lab in LABS)
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if any(each in path.read_bytes() for each in mine):
                found.append(f"process: {path.parent.name}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--network", default="192.168.77.0/24", help="gates take the next one")
    parser.add_argument(
        "--verbs", type=lambda text: text.split(","), default=list(LONGEST), metavar="VERB,VERB"
    )
    parser.add_argument("--json", type=Path, help="write the rounds to this file")
    options = parser.parse_args()
    if unknown := set(options.verbs) - set(LONGEST):
        parser.error(f"unknown verbs: {', '.join(sorted(unknown))}")
    chance, rounds, before = random.Random(options.seed), list[Round](), listing()
    print(f"seed {options.seed}, {options.rounds} rounds", flush=True)
    scratch = tempfile.TemporaryDirectory(prefix="chaos-")
    try:
        for number in range(options.rounds):
            done = play(chance, number, options, Path(scratch.name))
            rounds.append(done)
            how = "with its children" if done.children else "alone"
            early = ", had ended" if done.ended_first else ""
            print(
                f"{number + 1:3d}  {done.verb:<7} killed {how} after {done.after:5.2f} s{early};"
                f" then: {done.seconds:5.1f} s  {'FAILED' if done.problem else 'ready'}",
                flush=True,
            )
            if done.problem:
                print(done.problem, flush=True)
    finally:
        for lab in LABS:
            labctl("destroy", "--yes", lab=lab)
        scratch.cleanup()
    remove_new_images(before)
    left = leftovers(before)
    good = sum(not each.problem for each in rounds)
    print(f"{good} of {len(rounds)} converged; left: {', '.join(left) or 'nothing'}")
    if options.json:
        data = {"seed": options.seed, "rounds": [asdict(each) for each in rounds], "left": left}
        options.json.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    return 0 if good == len(rounds) and not left else 1


if __name__ == "__main__":
    sys.exit(main())
