"""A gate that was interrupted continues where it was, and kept baselines are used for a day."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from labctl.core.progress import Progress, silent
from labctl.gate import cache, session
from labctl.gate.cache import find_baseline, keep_baseline
from labctl.gate.identity import code_digest, job_key
from labctl.gate.job import Found, SideJob
from labctl.gate.measures import Load, Up
from labctl.gate.model import CaseOutcome, GateCase, Side, Trouble
from labctl.gate.parts import run_drills
from labctl.gate.run import GatePlan, try_sides
from labctl.gate.session import STATE, open_session
from labctl.report.drill import DrillRecord, DrillVerdict, drills_to_json
from labctl.topology.lab import Lab
from labctl.topology.spec import Spec

QUIET = Load(20.0, 2, 0.05)
PLAN = GatePlan("debs:/b", baseline="debs:/a", runs=3)


@dataclass
class Told:
    """What the labs of a gate did, and how it goes on: `stop_at` is where Ctrl-C comes."""

    runs: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    stop_at: int | None = None
    seconds: dict[str, float] = field(default_factory=lambda: {"baseline": 5.0, "candidate": 5.0})

    def progress(self, phase: str, message: str, *, node: str | None = None) -> None:
        self.said.append(message)

    @contextmanager
    def open_lab(self, job: SideJob, *, progress: Progress, found: Found) -> Iterator[Recorded]:
        yield Recorded(job.label, found, self)

    def order(self) -> str:
        found, self.runs = " ".join(self.runs), []
        return found


@dataclass
class Recorded:
    """A side whose runs are told: capital letters are tested in full."""

    label: str
    found: Found
    told: Told

    @property
    def trouble(self) -> Trouble | None:
        return self.found.side.trouble

    def run(self, *, exam: bool) -> None:
        if len(self.told.runs) == self.told.stop_at:
            raise KeyboardInterrupt
        self.told.runs.append(self.label[0])
        ups = (*self.found.side.ups, Up({"ready": self.told.seconds[self.label]}, load=QUIET))
        if len(ups) > self.found.runs:
            self.found.add(ups=ups)
        if exam and self.found.wants("tests"):
            self.told.runs[-1] = self.label[0].upper()
            self.found.add(tests=(GateCase("t", CaseOutcome.PASSED),), logs=())


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[SideJob]:
    monkeypatch.setattr(session, "GATES", tmp_path / "gates")
    monkeypatch.setattr(cache, "BASELINES", tmp_path / "kept")
    return [
        SideJob(label, f"debs:/{label}", Spec(lab=label), tmp_path / label, runs=3, identity=label)
        for label in ("baseline", "candidate")
    ]


def gate(jobs: list[SideJob], told: Told, **values: object) -> dict[str, Found]:
    plan = replace(PLAN, **values)  # type: ignore[arg-type]
    found = open_session(jobs, plan.folder, fresh=plan.fresh, progress=told.progress)
    try_sides(plan, jobs, found, progress=told.progress, open_lab=told.open_lab)
    found.close()
    return found.found


@pytest.mark.parametrize("stop_at", range(6))
def test_an_interrupted_gate_continues_exactly_where_it_was(
    jobs: list[SideJob], stop_at: int
) -> None:
    told = Told(stop_at=stop_at)
    with pytest.raises(KeyboardInterrupt):
        gate(jobs, told)
    before = told.order()
    told.stop_at = None
    found = gate(jobs, told)
    assert f"{before} {told.order()}".strip() == "B C c b b c"
    assert [len(each.side.ups) for each in found.values()] == [3, 3]
    if stop_at:
        assert any(message.startswith("continues the gate of") for message in told.said)


def test_a_gate_with_a_verdict_is_not_continued(jobs: list[SideJob]) -> None:
    told = Told()
    gate(jobs, told)
    told.order()
    gate(jobs, told)
    assert told.order() == "B C c b b c"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"identity": "another"}, "packages, options or labctl itself are not the same"),
        ({"quick": True}, "packages, options or labctl itself are not the same"),
        ({}, "it is more than a day old"),
    ],
    ids=["packages", "options", "age"],
)
def test_another_gate_is_not_continued_and_that_is_said(
    jobs: list[SideJob], tmp_path: Path, change: dict[str, object], said: str
) -> None:
    folder = tmp_path / "report"
    told = Told(stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        gate(jobs, told, folder=folder)
    if not change:
        state = json.loads((folder / STATE).read_text())
        (folder / STATE).write_text(json.dumps({**state, "began": time.time() - 90_000}))
    told.order()
    told.stop_at = None
    gate([replace(jobs[0], **change), jobs[1]], told, folder=folder)  # type: ignore[arg-type]
    assert told.order() == "B C c b b c"
    assert any(said in message for message in told.said)


def test_fresh_begins_again(jobs: list[SideJob]) -> None:
    told = Told(stop_at=3)
    with pytest.raises(KeyboardInterrupt):
        gate(jobs, told)
    told.order()
    told.stop_at = None
    gate(jobs, told, fresh=True)
    assert told.order() == "B C c b b c"


def test_a_damaged_state_is_told_and_the_gate_begins(jobs: list[SideJob], tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (folder / STATE).write_text("{")
    told = Told()
    gate(jobs, told, folder=folder)
    assert told.order() == "B C c b b c"
    assert any(message.startswith("not continued: ") for message in told.said)


def test_unknown_packages_leave_nothing_to_continue(jobs: list[SideJob], tmp_path: Path) -> None:
    told = Told(stop_at=1)
    with pytest.raises(KeyboardInterrupt):
        gate([replace(jobs[0], identity=""), jobs[1]], told, folder=tmp_path / "report")
    assert not (tmp_path / "report" / STATE).exists()


def test_drills_that_were_run_are_not_run_again(lab: Lab, tmp_path: Path) -> None:
    """The lab pretends, so that running one would fail."""
    record = DrillRecord("failover", DrillVerdict.EXPECTED, 20.0, reason="")
    (tmp_path / "drills.json").write_text(json.dumps(drills_to_json([record])))
    found = run_drills(lab, ("failover",), folder=tmp_path, progress=silent, resumed=True)
    assert [(case.name, case.outcome) for case in found] == [("failover", CaseOutcome.PASSED)]


def test_an_earlier_gates_drills_are_not_taken_for_this_ones(
    jobs: list[SideJob], tmp_path: Path
) -> None:
    old = tmp_path / "report" / "baseline" / "drills.json"
    old.parent.mkdir(parents=True)
    old.write_text("[]")
    open_session(jobs, tmp_path / "report", fresh=False, progress=silent)
    assert not old.exists()


# Kept baselines.


def kept(jobs: list[SideJob], told: Told) -> None:
    found = gate(jobs, told)
    keep_baseline(jobs[0], found["baseline"].done())
    told.order()


def test_a_baseline_is_measured_once_a_day(jobs: list[SideJob]) -> None:
    told = Told()
    kept(jobs, told)
    other = [jobs[0], replace(jobs[1], identity="newer")]
    found = gate(other, told)
    assert told.order() == "C c c"
    assert found["baseline"].side.cached
    assert len(found["baseline"].side.ups) == 3
    gate(other, told, fresh=True)
    assert told.order() == "B C c b b c"


def test_what_looks_slower_is_measured_beside_the_baseline(jobs: list[SideJob]) -> None:
    """Figures of another time never fail a candidate: its tests stay, its runs are made again."""
    told = Told()
    kept(jobs, told)
    told.seconds["candidate"] = 9.0
    found = gate([jobs[0], replace(jobs[1], identity="newer")], told)
    assert told.order().startswith("C c c b c c b b c")
    assert len(found["baseline"].side.ups) == len(found["candidate"].side.ups) == 6
    assert found["baseline"].side.cached


@pytest.mark.parametrize("stop_at", range(1, 8))
def test_that_continues_after_an_interruption_too(jobs: list[SideJob], stop_at: int) -> None:
    told = Told()
    kept(jobs, told)
    told.seconds["candidate"], told.stop_at = 9.0, stop_at
    other = [jobs[0], replace(jobs[1], identity="newer")]
    with pytest.raises(KeyboardInterrupt):
        gate(other, told)
    before = told.order()
    told.stop_at = None
    found = gate(other, told)
    assert f"{before} {told.order()}".startswith("C c c b c c b b c")
    assert len(found["baseline"].side.ups) == len(found["candidate"].side.ups) == 6


@pytest.mark.parametrize("change", [{"identity": "x"}, {"runs": 4}, {"drills": ("a",)}])
def test_another_baseline_is_measured(jobs: list[SideJob], change: dict[str, object]) -> None:
    kept(jobs, Told())
    assert find_baseline(jobs[0]) is not None
    assert find_baseline(replace(jobs[0], **change)) is None  # type: ignore[arg-type]


def test_the_labs_name_and_network_do_not_matter(jobs: list[SideJob]) -> None:
    spec = replace(jobs[0].spec, lab="x", network=Spec().network.supernet())
    assert job_key(replace(jobs[0], label="x", spec=spec)) == job_key(jobs[0])
    assert job_key(replace(jobs[0], spec=replace(spec, jvbs=1))) != job_key(jobs[0])


def test_a_baseline_is_kept_for_a_day(
    jobs: list[SideJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(jobs, Told())
    [file] = (tmp_path / "kept").glob("*.json")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 25 * 3600)
    assert find_baseline(jobs[0]) is None
    os.utime(file, (now, now))
    keep_baseline(replace(jobs[0], identity="x"), Side("baseline", "x", tests=()))
    assert not file.exists()


@pytest.mark.parametrize(
    "side",
    [
        Side("baseline", "x", tests=(), trouble=Trouble("ready", "no", packages=True)),
        Side("baseline", "x"),
        Side("baseline", "x", tests=(), cached="2026-11-29 10:00"),
    ],
    ids=["trouble", "not tested", "was kept already"],
)
def test_what_says_too_little_is_not_kept(jobs: list[SideJob], side: Side) -> None:
    keep_baseline(jobs[0], side)
    assert find_baseline(jobs[0]) is None


def test_labctl_is_its_files(tmp_path: Path) -> None:
    (tmp_path / "labctl").mkdir()
    (tmp_path / "labctl" / "a.py").write_text("1")
    first = code_digest(tmp_path)
    code_digest.cache_clear()
    (tmp_path / "labctl" / "a.py").write_text("2")
    assert code_digest(tmp_path) != first
    code_digest.cache_clear()
