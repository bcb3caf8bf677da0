"""A real lab for the tests in this folder: brought up once, destroyed at the end."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.schemas import checked

ROOT = Path(__file__).resolve().parents[2]
LABCTL = ROOT / "bin" / "labctl"
NAME = "selftest"
SUITE = ROOT / "tests" / "e2e" / "suite"
LOCK = SUITE / "package-lock.json"


@dataclass(frozen=True)
class Ended:
    """How a labctl command ended."""

    code: int
    out: str
    err: str
    seconds: float
    words: tuple[str, ...] = ()

    def json(self) -> Any:
        """What was printed, which must be as the verb's schema says."""
        verb = "-".join(itertools.takewhile(lambda word: not word.startswith("-"), self.words))
        return checked(verb, self.out)


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
        seconds = time.monotonic() - began
        ended = Ended(done.returncode, done.stdout, done.stderr, seconds, words)
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


@dataclass(slots=True)
class NpmCi:
    """`npm ci` in the tests' end-to-end suite: half a minute, best spent while a lab comes up."""

    log: Path
    child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin, if the packages of this lock file are not there yet; `want` waits for the end."""
        if self.child is not None or self._is_done():
            return
        with self.log.open("wb") as sink:
            # As in a user's checkout, but no package's own scripts: they fetch other browsers.
            self.child = subprocess.Popen(
                ["nice", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
                cwd=SUITE,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )

    def want(self) -> Path:
        """The suite, ready to be run."""
        self.start()
        if self.child is not None and self.child.wait(timeout=600) != 0:
            pytest.fail(f"'npm ci' failed in '{SUITE}':\n{self.log.read_text()}")
        return SUITE

    def _is_done(self) -> bool:
        """Whether npm's own note of what it installed is younger than the lock file."""
        note = SUITE / "node_modules" / ".package-lock.json"
        return note.is_file() and note.stat().st_mtime > LOCK.stat().st_mtime


@pytest.fixture(scope="session")
def npm_ci(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NpmCi]:
    made = NpmCi(tmp_path_factory.mktemp("npm") / "npm.log")
    yield made
    if made.child is not None and made.child.poll() is None:
        made.child.kill()
        made.child.wait()


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, npm_ci: NpmCi) -> Iterator[Lab]:
    """The README's lab (JMS, two bridges, eight vnodes) on stand-ins, ready."""
    if any(item.nodeid.startswith("tests/labs/test_e2e.py") for item in request.session.items):
        npm_ci.start()
    lab = Lab()
    if (lab.path / "topology.json").is_file():
        lab.run("destroy", "--lab", lab.name)
    lab.run("up", "--jvbs", "2", "--visitors", "8", "--packages", "stand-ins", timeout=1500)
    yield lab
    if os.environ.get("LABCTL_KEEP"):
        return
    lab.run("destroy", "--lab", lab.name, check=False)
