"""A WebdriverIO that pretends: a test says what each run of a spec does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from labctl.core import process
from labctl.crowd.target import Target
from labctl.e2e import run as module
from labctl.e2e.needs import Programs
from labctl.e2e.run import E2ePlan
from labctl.e2e.suite import SPEC, find_suite
from labctl.report.e2e import SpecRecord
from tests.e2e.make import PNG, write_checkout

PROGRAMS = Programs("/usr/bin/node", "/c", "/d", {"node": "20.20.2"})
MESSAGES = {"pass": "", "skip": "", "fail": "no", "disturbed": "net::ERR_NETWORK_CHANGED at /"}
Act = Callable[[], None]


@dataclass
class FakeWdio:
    """`does` has what the runs of a spec do, in order; the last is repeated.

    'pass', 'fail' and 'skip' are the outcome of its only test; 'disturbed' fails because of this
    machine, 'hang' takes too long, 'crash' leaves no results; anything that can be called is
    called."""

    does: dict[str, list[str | Act]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    calls: list[tuple[tuple[str, ...], Mapping[str, Any]]] = field(default_factory=list)

    def run(self, argv: Sequence[str | Path], **given: Any) -> process.Result:
        words = tuple(map(str, argv))
        self.calls.append((words, given))
        name = SPEC.sub("", words[-1].partition("/specs/")[2])
        acts = self.does.get(name, ["pass"])
        act = acts[min(self.ran.count(name), len(acts) - 1)]
        self.ran.append(name)
        asked = json.loads(given["env"]["LABCTL_E2E"])
        given["log"].write_text(f"$ {words}\n")
        return self._act(act, name, asked)

    def _act(self, act: str | Act, name: str, asked: Mapping[str, str]) -> process.Result:
        if callable(act):
            act()
            act = "pass"
        if act == "hang":
            raise process.ProgramTimeoutError("too long")
        if act == "crash":
            return process.Result((), 1, "Error: it broke\n")
        outcome = {"pass": "passed", "skip": "skipped"}.get(act, "failed")
        bad, said = outcome == "failed", MESSAGES[act]
        lines: list[dict[str, Any]] = [{"kind": "began", "at": 1.0}]
        if bad:
            (Path(asked["folder"]) / "p1.png").write_bytes(PNG)
            lines.append({"kind": "file", "name": "p1.png"})
        lines += [
            {"kind": "case", "title": f"{name}: works", "outcome": outcome, "message": said},
            {"kind": "ended", "at": 2.0, "failures": int(bad), "message": ""},
        ]
        Path(asked["results"]).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        return process.Result((), int(bad), "")


@pytest.fixture
def wdio(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeWdio:
    """No program starts, and the home folder is an ordinary one."""
    fake = FakeWdio()
    monkeypatch.setattr(process, "run", fake.run)

    @contextmanager
    def home(target: Target, expectations: Mapping[str, Any]) -> Iterator[Path]:
        yield tmp_path / "home"

    monkeypatch.setattr(module, "throw_away_home", home)
    return fake


def plan_of(tmp_path: Path, *names: str, **changes: Any) -> E2ePlan:
    """A plan for these specs of a small checkout, or for all of them."""
    suite = find_suite(write_checkout(tmp_path / "checkout"))
    specs = tuple(spec for spec in suite.specs if not names or spec.name in names)
    folder = tmp_path / "out"
    folder.mkdir(exist_ok=True)
    known: Mapping[str, SpecRecord] = {}
    given = {"programs": PROGRAMS, "folder": folder, "most_browsers": 2, "known": known}
    return E2ePlan(suite, specs, **{**given, **changes})
