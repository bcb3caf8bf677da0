#!/usr/bin/env python3
"""How long `labctl up` takes: cold, with images cached, and on a lab that is up already.

    .venv/bin/python benchmarks/up.py [--cold] [--runs 3]

Every figure is of one run of this script on one machine.  What a second `up` costs is compared
with `vagrant status` of the same lab, run in turn with it.  `--cold` bakes all images anew.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAB = "benchmark"
UP = ("up", "--lab", LAB, "--jvbs", "2", "--visitors", "8", "--packages", "stand-ins", "--json")


def timed(*argv: str) -> tuple[float, str]:
    """Wall-clock seconds of a command, and its standard output."""
    began = time.monotonic()
    done = subprocess.run(
        argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True
    )
    return time.monotonic() - began, done.stdout


def labctl(*words: str) -> tuple[float, str]:
    return timed(str(ROOT / "bin" / "labctl"), *words)


def up(title: str, *more: str) -> float:
    """One `up`, its total and its phases on a line."""
    seconds, out = labctl(*UP, *more)
    phases = json.loads(out)["seconds"]
    told = "  ".join(f"{name} {value:.1f}" for name, value in phases.items())
    print(f"{title:<22} {seconds:7.1f} s   {told}", flush=True)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", action="store_true", help="bake all images anew first")
    parser.add_argument("--runs", type=int, default=3, help="runs per figure (medians are given)")
    options = parser.parse_args()
    env = {"VAGRANT_DOTFILE_PATH": str(ROOT / ".lab" / LAB / "vagrant")}
    os.environ.update(env, LABCTL_WORKDIR=str(ROOT / ".lab" / LAB), VAGRANT_CHECKPOINT_DISABLE="1")
    subprocess.run([ROOT / "bin/labctl", "destroy", "--lab", LAB], capture_output=True, check=False)
    print(f"{os.cpu_count()} cores; JMS + 2 bridges + 8 vnodes, docker, stand-ins")
    if options.cold:
        up("cold", "--refresh")
    cached, again, status = [], [], []
    for _ in range(options.runs):
        if (ROOT / ".lab" / LAB).exists():
            labctl("down", "--lab", LAB)
        cached.append(up("images cached"))
        again.append(up("up already"))
        status.append(timed("vagrant", "status")[0])
    labctl("destroy", "--lab", LAB)
    print(
        f"medians of {options.runs}: cached {statistics.median(cached):.1f} s, "
        f"second up {statistics.median(again):.2f} s, "
        f"vagrant status {statistics.median(status):.2f} s, "
        f"second up / vagrant status {statistics.median(again) / statistics.median(status):.2f}"
    )


if __name__ == "__main__":
    main()
