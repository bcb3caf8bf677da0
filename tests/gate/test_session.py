"""A gate that was interrupted continues where it was, and kept baselines are used for a day."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import Progress, silent
from labctl.core.state import load_state
from labctl.gate import cache, identity, session
from labctl.gate.beside import Beside
from labctl.gate.cache import find_baseline, keep_baseline
from labctl.gate.identity import code_digest, gate_key, job_key
from labctl.gate.job import Found, SideJob
from labctl.gate.measures import Load, Up
from labctl.gate.model import CaseOutcome, GateCase, Side, Trouble
from labctl.gate.parts import run_drills
from labctl.gate.run import GatePlan, try_sides
from labctl.gate.session import STATE, GateState, SideState, open_session
from labctl.gate.session import told as told_of
from labctl.images.packages import MAIN_PACKAGES, Package, PackageOrigin, PackageSet
from labctl.report.drill import DrillRecord, DrillVerdict, drills_to_json
from labctl.topology.lab import Lab
from labctl.topology.spec import Packages, Spec

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
    told.order()
    told.stop_at = None
    # It ends as any other one does.
    gate([replace(jobs[0], identity=""), jobs[1]], told, folder=tmp_path / "report")
    assert told.order() == "B C c b b c"


def test_unknown_packages_are_not_taken_for_other_unknown_ones(
    jobs: list[SideJob], tmp_path: Path
) -> None:
    folder, told = tmp_path / "report", Told()
    states(jobs, told, folder, runs=2)
    state = json.loads((folder / STATE).read_text())
    (folder / STATE).write_text(json.dumps({**state, "key": ""}))
    gate([replace(jobs[0], identity=""), jobs[1]], told, folder=folder)
    assert told.order() == "B C c b b c"


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


# Words and files of a session.


def states(jobs: list[SideJob], told: Told, folder: Path, *, runs: int) -> GateState:
    """What an interrupted gate leaves after so many runs."""
    told.stop_at = runs
    with pytest.raises(KeyboardInterrupt):
        gate(jobs, told, folder=folder)
    told.order()
    told.stop_at = None
    return load_state(folder / STATE, session.STATE_FILE)


def test_what_an_unfinished_gate_has_done_is_told(jobs: list[SideJob], tmp_path: Path) -> None:
    folder, told = tmp_path / "report", Told()
    states(jobs, told, folder, runs=1)
    began = time.time() - 7200
    state = json.loads((folder / STATE).read_text())
    (folder / STATE).write_text(json.dumps({**state, "began": began}))
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(began))
    gate(jobs, told, folder=folder)
    assert told.said == [
        f"continues the gate of {when}, in '{folder}':"
        " baseline: runs measured: 1, tested; candidate: runs measured: 0"
    ]
    assert told_of(GateState("k", 0.0, 0.0)) == "nothing was finished"


def test_seconds_before_an_interruption_count(
    jobs: list[SideJob], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "report"
    states(jobs, Told(), folder, runs=1)
    state = json.loads((folder / STATE).read_text())
    (folder / STATE).write_text(json.dumps({**state, "seconds": 100.0}))
    found = open_session(jobs, folder, fresh=False, progress=silent)
    assert found.resumed and 100.0 <= found.seconds < 130.0
    began = found.seconds
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60.0)
    assert began + 59.0 < found.seconds < began + 90.0
    found.find(jobs[0])
    found.save()
    kept = load_state(folder / STATE, session.STATE_FILE)
    assert kept.seconds == pytest.approx(found.seconds)
    assert kept.began == state["began"]


def test_a_new_gate_has_a_folder_by_its_time_and_begins_with_nothing(
    jobs: list[SideJob], tmp_path: Path
) -> None:
    before = time.time()
    found = open_session(jobs, None, fresh=False, progress=silent)
    assert found.folder.parent == tmp_path / "gates"
    assert re.fullmatch(r"\d{8}-\d{6}", found.folder.name)
    assert not found.resumed
    assert before <= found.state.began <= time.time()
    assert (found.state.seconds, found.state.sides, found.state.paired) == (0.0, {}, False)
    assert found.state.key == gate_key(jobs)


def test_of_several_unfinished_gates_the_newest_is_continued(
    jobs: list[SideJob], tmp_path: Path
) -> None:
    told = Told()
    for name, runs in (("20261129-100000", 1), ("20261129-110000", 2), ("20261129-090000", 3)):
        states(jobs, told, tmp_path / "gates" / name, runs=runs)
    assert [file.name for file in (tmp_path / "gates").iterdir()]
    told.said.clear()
    other = [replace(jobs[0], identity="another"), jobs[1]]
    states(other, told, tmp_path / "gates" / "20261129-120000", runs=1)
    gate(jobs, told)
    assert told.order() == "c b b c"
    assert "20261129-110000" in told.said[-1]
    # Another gate's folder is nothing to tell about.
    assert len(told.said) == 1


def test_a_damaged_gate_does_not_hide_an_older_one(jobs: list[SideJob], tmp_path: Path) -> None:
    told = Told()
    states(jobs, told, tmp_path / "gates" / "20261129-100000", runs=2)
    damaged = tmp_path / "gates" / "20261129-110000" / STATE
    damaged.parent.mkdir()
    damaged.write_text("{")
    # Nor does what is no file.
    (tmp_path / "gates" / "20261129-120000" / STATE).mkdir(parents=True)
    gate(jobs, told)
    assert told.order() == "c b b c"


@pytest.mark.parametrize(("age", "continued"), [(86_000, True), (86_500, False)])
def test_a_gate_is_continued_for_a_day(
    jobs: list[SideJob], tmp_path: Path, age: float, continued: bool
) -> None:
    folder, told = tmp_path / "report", Told()
    states(jobs, told, folder, runs=2)
    state = json.loads((folder / STATE).read_text())
    (folder / STATE).write_text(json.dumps({**state, "began": time.time() - age}))
    gate(jobs, told, folder=folder)
    assert told.order() == ("c b b c" if continued else "B C c b b c")
    if not continued:
        said = f"the gate in '{folder}' is not continued: it is more than a day old"
        assert told.said == [said]


def test_why_another_gate_is_not_continued(jobs: list[SideJob], tmp_path: Path) -> None:
    folder, told = tmp_path / "report", Told()
    states(jobs, told, folder, runs=2)
    gate([replace(jobs[0], runs=9), jobs[1]], told, folder=folder)
    assert told.said == [
        f"the gate in '{folder}' is not continued:"
        " packages, options or labctl itself are not the same any more"
    ]


def test_drills_of_an_earlier_gate_are_removed_on_both_sides(
    jobs: list[SideJob], tmp_path: Path
) -> None:
    files = [
        tmp_path / "report" / label / name
        for label in ("baseline", "candidate")
        for name in ("drills.json", "drills-again.json")
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("[]")
    open_session(jobs, tmp_path / "report", fresh=True, progress=silent)
    assert not any(file.exists() for file in files)


def test_parts_that_could_not_be_tried_are_known_after_an_interruption(
    jobs: list[SideJob], tmp_path: Path
) -> None:
    first = open_session(jobs, tmp_path, fresh=False, progress=silent)
    found = first.find(jobs[0])
    assert (found.side, found.runs) == (Side("baseline", "debs:/baseline"), 0)
    found.not_tried["media"] = "no sound"
    found.finish_run()
    again = open_session(jobs, tmp_path, fresh=False, progress=silent).find(jobs[0])
    assert (again.not_tried, again.runs) == ({"media": "no sound"}, 1)


def test_from_now_on_in_turns(jobs: list[SideJob], tmp_path: Path) -> None:
    found = open_session(jobs, tmp_path, fresh=False, progress=silent)
    for job in jobs:
        found.find(job).add(ups=(Up({}),))
        found.found[job.label].finish_run()
    found.pair()
    kept = load_state(tmp_path / STATE, session.STATE_FILE)
    assert kept.paired
    assert [(each.runs, each.side.ups) for each in kept.sides.values()] == [(0, ())] * 2


def test_when_the_baseline_was_measured_is_said(jobs: list[SideJob]) -> None:
    told = Told()
    kept(jobs, told)
    told.seconds["candidate"] = 9.0
    found = gate([jobs[0], replace(jobs[1], identity="newer")], told)
    when = found["baseline"].side.cached
    assert told.said == [
        f"the baseline was measured at {when} ('--fresh' measures it again)",
        "something looks slower: now both sides are measured again",
    ]


def test_a_candidate_that_fails_beside_a_kept_baseline_is_not_measured_in_turns(
    jobs: list[SideJob],
) -> None:
    told = Told()
    kept(jobs, told)
    told.seconds["candidate"] = 9.0

    @contextmanager
    def fails(job: SideJob, *, progress: Progress, found: Found) -> Iterator[Recorded]:
        lab = Recorded(job.label, found, told)
        found.add(trouble=Trouble("ready", "no", packages=True))
        yield lab

    other = [jobs[0], replace(jobs[1], identity="newer")]
    opened = open_session(other, None, fresh=False, progress=silent)
    try_sides(PLAN, other, opened, progress=told.progress, open_lab=fails)
    assert told.order() == ""
    assert len(told.said) == 1


def test_a_baseline_that_was_begun_is_not_taken_from_an_earlier_gate(
    jobs: list[SideJob],
) -> None:
    told = Told()
    kept(jobs, told)
    other = [jobs[0], replace(jobs[1], identity="newer")]
    opened = open_session(other, None, fresh=False, progress=silent)
    opened.find(jobs[0]).add(ups=(Up({"ready": 5.0}, load=QUIET),))
    opened.state = replace(
        opened.state, sides={"baseline": SideState(opened.found["baseline"].side, {}, 1)}
    )
    try_sides(PLAN, other, opened, progress=told.progress, open_lab=told.open_lab)
    assert told.order() == "C c b b c"
    assert not opened.found["baseline"].side.cached


def test_labs_beside_each_other_run_at_the_same_time(jobs: list[SideJob]) -> None:
    both, told = threading.Barrier(2), Told()
    beside = Beside(parties=2)

    @dataclass
    class Parallel(Recorded):
        def run(self, *, exam: bool) -> None:
            both.wait(timeout=20)
            super().run(exam=exam)

    @contextmanager
    def opened(job: SideJob, *, progress: Progress, found: Found) -> Iterator[Recorded]:
        yield Parallel(job.label, found, told)

    placed = [replace(job, beside=beside) for job in jobs]
    found = open_session(placed, None, fresh=True, progress=silent)
    try_sides(replace(PLAN, fresh=True), placed, found, progress=silent, open_lab=opened)
    assert [each.runs for each in found.found.values()] == [3, 3]


# What is kept, and what makes it the same.


def test_a_kept_baseline_is_this_gates_side_and_says_when_it_was_measured(
    jobs: list[SideJob], tmp_path: Path
) -> None:
    side = Side("old", "debs:/old", tests=(), ups=(Up({}), Up({})), not_tried={"media": "no"})
    before = time.time()
    keep_baseline(jobs[0], side)
    found = find_baseline(jobs[0])
    assert found is not None
    at = json.loads(next((tmp_path / "kept").iterdir()).read_text())["at"]
    assert before <= at <= time.time()
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
    assert found.side == replace(side, label="baseline", source="debs:/baseline", cached=when)
    assert (found.not_tried, found.runs) == ({"media": "no"}, 2)


@pytest.mark.parametrize(
    ("age", "known"), [(0.0, True), (86_390.0, True), (86_410.0, False), (-10.0, False)]
)
def test_a_kept_baseline_is_of_the_last_day(
    jobs: list[SideJob], monkeypatch: pytest.MonkeyPatch, age: float, known: bool
) -> None:
    keep_baseline(jobs[0], Side("baseline", "x", tests=()))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + age)
    assert (find_baseline(jobs[0]) is not None) is known


def test_a_kept_baseline_says_when_it_was_measured_not_when_it_was_found(
    jobs: list[SideJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    keep_baseline(jobs[0], Side("baseline", "x", tests=()))
    monkeypatch.setattr(time, "time", lambda: now)
    found = find_baseline(jobs[0])
    assert found is not None
    assert found.side.cached == time.strftime("%Y-%m-%d %H:%M", time.localtime(now - 3600))


def test_a_kept_baseline_that_cannot_be_read_is_measured_again(
    jobs: list[SideJob], tmp_path: Path
) -> None:
    keep_baseline(jobs[0], Side("baseline", "x", tests=()))
    next((tmp_path / "kept").iterdir()).write_text("{")
    assert find_baseline(jobs[0]) is None
    keep_baseline(jobs[0], Side("baseline", "x", tests=()))
    assert find_baseline(jobs[0]) is not None


def test_packages_that_are_not_known_are_not_kept(jobs: list[SideJob], tmp_path: Path) -> None:
    unknown = replace(jobs[0], identity="")
    keep_baseline(unknown, Side("baseline", "x", tests=()))
    assert not (tmp_path / "kept").exists()
    assert find_baseline(unknown) is None
    keep_baseline(jobs[0], Side("baseline", "x", tests=()))
    (kept,) = (tmp_path / "kept").iterdir()
    kept.rename(kept.with_name(f"{job_key(unknown)}.json"))
    assert find_baseline(unknown) is None


def test_only_results_that_are_too_old_are_removed(jobs: list[SideJob], tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    now = time.time()
    for name, age in (("old.json", 86_500), ("new.json", 86_000), ("old.txt", 86_500)):
        (tmp_path / "kept" / name).write_text("{}")
        os.utime(tmp_path / "kept" / name, (now - age, now - age))
    keep_baseline(jobs[0], Side("baseline", "x", tests=()))
    names = {file.name for file in (tmp_path / "kept").iterdir()}
    assert "old.json" not in names
    assert {"new.json", "old.txt"} < names and len(names) == 3


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"label": "x", "source": "debs:/x"}, True),
        ({"folder": Path("/x"), "keep": True, "resumed": True}, True),
        ({"beside": Beside(parties=2)}, True),
        ({"identity": "x"}, False),
        ({"runs": 9}, False),
        ({"quick": True}, False),
        ({"drills": ("failover",)}, False),
        ({"e2e": Path("/suite")}, False),
        ({"stand_ins": True}, False),
        ({"soak": 60.0}, False),
        ({"spec": Spec(lab="x", domain="example.org")}, False),
        ({"spec": Spec(lab="x", packages=Packages(path="/x"))}, True),
    ],
    ids=lambda value: str(value) if isinstance(value, bool) else "-".join(value),
)
def test_what_makes_two_sides_the_same(change: dict[str, Any], same: bool) -> None:
    job = SideJob("candidate", "debs:/c", Spec(lab="c"), Path("/c"), identity="i")
    assert (job_key(replace(job, **change)) == job_key(job)) is same


def test_gates_are_the_same_if_their_sides_are_in_name_and_content(jobs: list[SideJob]) -> None:
    key = gate_key(jobs)
    assert re.fullmatch(r"[0-9a-f]{16}", key)
    assert gate_key([replace(jobs[0], folder=Path("/x")), jobs[1]]) == key
    for change in ({"label": "x"}, {"source": "x"}, {"identity": "x"}):
        assert gate_key([replace(jobs[0], **change), jobs[1]]) != key  # type: ignore[arg-type]
    assert gate_key(jobs[1:]) != key
    assert gate_key([jobs[0], replace(jobs[1], identity="")]) == ""
    assert job_key(replace(jobs[0], identity="")) == ""


def test_packages_are_identified_by_what_each_role_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    held = [PackageSet(tuple(Package(name, PackageOrigin.DEBS, "1") for name in MAIN_PACKAGES))]

    def resolve(packages: Packages, **words: Any) -> PackageSet:
        asked.append({"packages": packages, **words})
        return held[0]

    monkeypatch.setattr(identity, "resolve", resolve)
    spec = Spec(jvbs=1, visitors=1)
    first = identity.identify(spec, progress=silent)
    assert re.fullmatch(r"[0-9a-f]{16}", first)
    assert asked == [
        {"packages": spec.packages, "cache": identity.CACHE, "force": True, "progress": silent}
    ]
    assert identity.identify(replace(spec, domain="x.org"), progress=silent) == first
    newer = [replace(each, version="2") for each in held[0].packages]
    held[0] = replace(held[0], packages=(*held[0].packages[:-1], newer[-1]))
    assert identity.identify(spec, progress=silent) != first


def test_packages_that_cannot_be_had_have_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> None:
        raise LabError("There are none.")

    monkeypatch.setattr(identity, "resolve", resolve)
    assert identity.identify(Spec(), progress=silent) == ""


def test_labctl_is_what_its_files_hold_and_where_they_are(tmp_path: Path) -> None:
    def digest(**files: str) -> str:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, text in files.items():
            file = root / name.replace("__", "/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return code_digest(root)

    first = digest(labctl__a="1", packer__x__b="2")
    assert re.fullmatch(r"[0-9a-f]{16}", first)
    assert digest(labctl__a="1", packer__x__b="2") == first
    assert digest(labctl__a="1", packer__x__b="2", docs__c="3", d="4") == first
    assert digest(labctl__a="1", packer__x__b="3") != first
    assert digest(labctl__a="1", packer__y__b="2") != first
    for folder in ("labctl", "acceptance", "provision", "standins", "packer"):
        assert digest(labctl__a="1", packer__x__b="2", **{f"{folder}__new": ""}) != first


def test_what_python_compiles_is_not_labctl(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name / "labctl" / "sub").mkdir(parents=True)
        (tmp_path / name / "labctl" / "sub" / "a.py").write_text("1")
    (tmp_path / "other" / "labctl" / "__pycache__").mkdir()
    (tmp_path / "other" / "labctl" / "__pycache__" / "a.pyc").write_text("2")
    assert code_digest(tmp_path / "one") == code_digest(tmp_path / "other")
