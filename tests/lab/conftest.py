"""A real lab for the tests in this folder: brought up once, destroyed at the end."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LABCTL = ROOT / "bin" / "labctl"
NAME = "selftest"


@dataclass(frozen=True)
class Ended:
    """How a labctl command ended."""

    code: int
    out: str
    err: str
    seconds: float

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Lab:
    """The lab under test, driven through bin/labctl as a user would."""

    name: str = NAME
    path: Path = field(default=ROOT / ".lab" / NAME)

    def run(self, *words: str, timeout: float = 900.0, check: bool = True) -> Ended:
        began = time.monotonic()
        done = subprocess.run(
            [LABCTL, *words],
            cwd=ROOT,
            env={**os.environ, "LABCTL_LAB": self.name},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - began)
        if check and ended.code != 0:
            said = f"{ended.err}{ended.out}"
            pytest.fail(f"labctl {' '.join(words)} ended with {ended.code}:\n{said}")
        return ended

    def starts(self) -> dict[str, str]:
        """When each unit of each node was started: what must not change for no reason."""
        script = "systemctl show -p Id -p ActiveEnterTimestampMonotonic {}"
        units = "nftables prosody nginx jicofo jitsi-videobridge2 'prosody-v@*'"
        found: dict[str, str] = {}
        for node in self.topology()["nodes"]:
            out = self.run("exec", node["name"], "--", "sh", "-c", script.format(units)).out
            found[node["name"]] = out
        return found

    def topology(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((self.path / "topology.json").read_text())
        return data


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The README's lab (JMS, two bridges, eight vnodes) on stand-ins, ready."""
    lab = Lab()
    if (lab.path / "topology.json").is_file():
        lab.run("destroy", "--lab", lab.name)
    lab.run("up", "--jvbs", "2", "--visitors", "8", "--packages", "stand-ins", timeout=1500)
    yield lab
    if os.environ.get("LABCTL_KEEP"):
        return
    lab.run("destroy", "--lab", lab.name, check=False)
