"""The order in which sides are tried, and when it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labctl.core.progress import Progress, silent
from labctl.gate import cache, session
from labctl.gate import run as module
from labctl.gate.compare import judge_gate
from labctl.gate.github import render_summary
from labctl.gate.job import Found, Phase, SideJob
from labctl.gate.junit import render_junit
from labctl.gate.measures import Load, Up
from labctl.gate.model import (
    CaseOutcome,
    Gate,
    GateCase,
    GateVerdict,
    Side,
    TriedIn,
    TriedPackage,
    Trouble,
)
from labctl.gate.page import render_page
from labctl.gate.pairing import try_in_turn
from labctl.gate.report import render_text
from labctl.gate.run import GatePlan, run_gate, try_sides
from labctl.topology.spec import Spec
from tests.gate.sides import FAILED, case, make_side

QUIET = Load(20.0, 2, 0.05)
BUSY = Load(20.0, 2, 0.95)


@dataclass
class Recorded:
    """A side whose runs take what they are told to, and that notes when it is its turn."""

    label: str
    told: list[str]
    ready: float = 5.0
    load: Load = QUIET
    fails_at: int | None = None
    found: Found = field(init=False)
    trouble: Trouble | None = None

    def __post_init__(self) -> None:
        self.found = Found(Side(self.label, "debs:/x"))

    def run(self, *, exam: bool) -> None:
        self.told.append(self.label[0].upper() + ("!" if exam else ""))
        ups = (*self.found.side.ups, Up({"ready": self.ready}, load=self.load))
        self.found.add(ups=ups)
        if exam:
            self.found.add(tests=(GateCase("t", CaseOutcome.PASSED),))
        if len(ups) == self.fails_at:
            self.trouble = Trouble("ready", "not ready", packages=True)
            self.found.add(trouble=self.trouble)


def order(*, runs: int, alone: bool = False, **values: object) -> str:
    told: list[str] = []
    candidate = Recorded("candidate", told, **values)  # type: ignore[arg-type]
    try_in_turn([candidate] if alone else [Recorded("baseline", told), candidate], runs=runs)
    return " ".join(told)


def test_sides_take_turns_and_each_is_the_first_as_often() -> None:
    assert order(runs=3) == "B! C! C B B C"


def test_one_side_alone() -> None:
    assert order(runs=2, alone=True) == "C! C"


def test_one_run_of_each() -> None:
    assert order(runs=1, ready=50.0, load=BUSY) == "B! C!"


def test_what_looks_slower_is_looked_at_again() -> None:
    assert order(runs=3, ready=9.0).count("C") == 6


def test_disturbed_runs_are_repeated_and_that_ends() -> None:
    assert order(runs=3, load=BUSY).count("C") == 12


def test_trouble_ends_it() -> None:
    assert order(runs=3, fails_at=2) == "B! C! C"


def test_load_is_measured_from_the_machines_on() -> None:
    """Images are baked once, before; a lab that goes down tells of its machines, too."""
    phase = Phase(silent)
    phase.begin()
    first = phase.before
    phase("images", "baking")
    assert phase.before is first
    phase("machines", "creating", node="jms")
    second = phase.before
    assert second.at > first.at
    phase("machines", "up", node="jms")
    assert phase.before is second
    assert phase.now == "machines"


# The gate as a whole.


@dataclass
class Gates:
    """A gate whose labs are recorded; `fails` is the side that does not finish, `at` in which of
    its runs."""

    told: list[str] = field(default_factory=list)
    fails: str = ""
    at: int = 1
    tried: list[str] = field(default_factory=list)
    jobs: dict[str, SideJob] = field(default_factory=dict)

    @contextmanager
    def open_lab(self, job: SideJob, *, progress: Progress, found: Found) -> Iterator[Recorded]:
        self.jobs[job.label] = job
        lab = Recorded(job.label, self.told, fails_at=self.at if job.label == self.fails else None)
        lab.found = found
        yield lab

    def identify(self, spec: Spec, *, progress: Progress) -> str:
        return f"packages of {spec.packages.path}"

    def try_set(self, job: SideJob, found: Found, *, progress: Progress) -> None:
        self.tried.append(job.label)
        found.add(tried=(TriedPackage("jicofo", "1", TriedIn.LAB),))

    def try_upgrades(
        self, baseline: SideJob, candidate: SideJob, found: Found, *, progress: Progress
    ) -> None:
        self.tried.append(f"{baseline.label} to {candidate.label}")
        found.add(upgrades=())


@pytest.fixture
def gates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gates:
    found = Gates()
    monkeypatch.setattr(session, "GATES", tmp_path / "gates")
    monkeypatch.setattr(cache, "BASELINES", tmp_path / "kept")
    monkeypatch.setattr(module, "identify", found.identify)
    monkeypatch.setattr(module, "try_sides", partial(try_sides, open_lab=found.open_lab))
    monkeypatch.setattr(module, "try_set", found.try_set)
    monkeypatch.setattr(module, "try_upgrades", found.try_upgrades)
    return found


TWO = GatePlan("debs:/new", baseline="debs:/old", side_by_side=False)


def test_both_sides_are_tried_judged_and_reported(gates: Gates, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    done = run_gate(replace(TWO, folder=folder), progress=silent)
    assert gates.told == ["B!", "C!"]
    assert gates.tried == ["candidate", "baseline to candidate"]
    assert done.folder == folder
    assert done.gate.word is GateVerdict.PASS
    assert done.gate.seconds > 0
    assert (done.gate.candidate.source, done.gate.candidate.upgrades) == ("debs:/new", ())
    assert done.gate.baseline is not None and done.gate.baseline.label == "baseline"
    for label, source in (("baseline", "/old"), ("candidate", "/new")):
        job = gates.jobs[label]
        assert (job.folder, job.identity) == (folder / label, f"packages of {source}")
        assert not job.resumed
    assert Gate.from_json(json.loads((folder / "gate.json").read_text())) == done.gate
    assert not (folder / session.STATE).exists()
    # The baseline's result is there for the next gate.
    gates.told.clear()
    run_gate(replace(TWO, folder=tmp_path / "next", candidate="debs:/newer"), progress=silent)
    assert gates.told == ["C!"]
    run_gate(replace(TWO, folder=tmp_path / "fresh", fresh=True), progress=silent)
    assert gates.told == ["C!", "B!", "C!"]


def test_without_a_folder_the_report_and_what_sides_write_are_in_one_of_labctls(
    gates: Gates, tmp_path: Path
) -> None:
    done = run_gate(TWO, progress=silent)
    assert done.folder.parent == tmp_path / "gates"
    for label in ("baseline", "candidate"):
        assert gates.jobs[label].folder == done.folder / label


def test_a_candidate_alone_is_judged_alone(gates: Gates, tmp_path: Path) -> None:
    done = run_gate(GatePlan("debs:/new", folder=tmp_path), progress=silent)
    assert gates.told == ["C!"]
    assert gates.tried == ["candidate"]
    assert done.gate.baseline is None
    assert done.gate.reason == "everything passed"
    assert done.gate.candidate.not_tried == {"upgrade": "there is no baseline"}


def test_a_baseline_that_does_not_finish_leaves_the_candidate_alone(
    gates: Gates, tmp_path: Path
) -> None:
    gates.fails = "baseline"
    done = run_gate(replace(TWO, folder=tmp_path / "report"), progress=silent)
    assert (gates.told, gates.tried) == (["B!"], [])
    assert done.gate.word is GateVerdict.NOT_JUDGED
    assert done.gate.candidate.not_tried == {"all": "the baseline did not finish"}
    assert not (tmp_path / "kept").exists()


def test_a_candidate_that_was_tried_before_the_baseline_failed_was_tried(
    gates: Gates, tmp_path: Path
) -> None:
    gates.fails, gates.at = "baseline", 2
    done = run_gate(replace(TWO, folder=tmp_path / "report", runs=2), progress=silent)
    assert gates.told == ["B!", "C!", "C", "B"]
    assert done.gate.word is GateVerdict.NOT_JUDGED
    assert done.gate.candidate.not_tried == {}


def test_a_candidate_that_does_not_finish_has_failed(gates: Gates, tmp_path: Path) -> None:
    gates.fails = "candidate"
    done = run_gate(replace(TWO, folder=tmp_path / "report"), progress=silent)
    assert done.gate.word is GateVerdict.FAIL
    assert done.gate.candidate.not_tried == {}
    assert gates.tried == []


def test_strict_gates_are_strict_and_quick_ones_try_no_upgrade(
    gates: Gates, tmp_path: Path
) -> None:
    done = run_gate(replace(TWO, folder=tmp_path, strict=True, quick=True), progress=silent)
    assert done.gate.strict
    assert gates.tried == ["candidate"]
    assert done.gate.candidate.not_tried == {"upgrade": "'--quick' omits it"}
    assert gates.jobs["candidate"].quick


def test_an_interrupted_gate_knows_that_it_continues(
    gates: Gates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "try_set", interrupt)
        run_gate(replace(TWO, folder=tmp_path / "report", runs=2), progress=silent)
    assert gates.told == ["B!", "C!", "C", "B"]
    run_gate(replace(TWO, folder=tmp_path / "report", runs=2), progress=silent)
    assert gates.told == ["B!", "C!", "C", "B"]
    assert gates.jobs["candidate"].resumed and gates.jobs["baseline"].resumed
    assert gates.tried == ["candidate", "baseline to candidate"]


def test_what_was_tried_before_an_interruption_is_not_tried_again(gates: Gates) -> None:
    jobs = [SideJob(label, "x", Spec(), Path()) for label in ("baseline", "candidate")]
    found = {job.label: Found(Side(job.label, "x")) for job in jobs}
    found["candidate"].add(tried=(), upgrades=())
    known: Any = SimpleNamespace(found=found)
    module.try_packages_of(jobs, known, quick=False, progress=silent)
    assert gates.tried == []


def test_every_part_of_the_plan_reaches_both_sides(tmp_path: Path) -> None:
    plan = GatePlan(
        "debs:/new", tmp_path, baseline="debs:/old", runs=4, quick=True, drills=("failover",),
        e2e=tmp_path / "suite", stand_ins=True, keep=True, soak=60.0,
        flags={"jvbs": "2", "lab": "mine"},
    )  # fmt: skip
    jobs = module.plan_sides(plan)
    for job, label, source in zip(
        jobs, ("baseline", "candidate"), ("debs:/old", "debs:/new"), strict=True
    ):
        assert job == SideJob(
            label, source, job.spec, tmp_path / label, runs=4, quick=True, drills=("failover",),
            e2e=tmp_path / "suite", stand_ins=True, keep=True, soak=60.0, beside=job.beside,
        )  # fmt: skip
        assert (job.spec.lab, job.spec.jvbs) == (f"gate-{label}", 2)
        assert job.spec.packages.path == source.removeprefix("debs:")
    (alone,) = module.plan_sides(GatePlan("debs:/new"))
    assert (alone.folder, alone.keep, alone.quick) == (Path("candidate"), False, False)


def test_labs_are_shaped_by_the_lab_conf_that_is_named(tmp_path: Path) -> None:
    config = tmp_path / "lab.conf"
    config.write_text("jvbs = 7\nvisitors = 1\n")
    (job,) = module.plan_sides(GatePlan("debs:/x", config=config, flags={"visitors": "3"}))
    assert (job.spec.jvbs, job.spec.visitors) == (7, 3)


def test_the_files_of_a_report(tmp_path: Path) -> None:
    gate = judge_gate(make_side(tests=(case("test_a"), case("test_b", FAILED, "no"))))
    (tmp_path / "candidate").mkdir()
    (tmp_path / "candidate" / "tests.log").write_text("words")
    module.save_report(gate, tmp_path)
    assert json.loads((tmp_path / "gate.json").read_text()) == gate.to_json()
    junit = (tmp_path / "junit.xml").read_text()
    assert junit == render_junit(gate, folder=tmp_path) and "ATTACHMENT" in junit
    assert (tmp_path / "gate.html").read_text() == render_page(gate)
    assert (tmp_path / "summary.md").read_text() == render_summary(gate)
    assert (tmp_path / "gate.txt").read_text() == render_text(gate, folder=tmp_path) + "\n"


# What is known of a side.


def test_what_is_known_is_saved_with_every_change() -> None:
    saved: list[tuple[int, int]] = []
    found = Found(Side("candidate", "x"))
    found.save = lambda: saved.append((found.runs, len(found.side.ups)))
    found.add(ups=(Up({}),))
    found.finish_run()
    found.finish_run()
    found.forget_runs()
    assert saved == [(0, 1), (1, 1), (2, 1), (0, 0)]


def test_a_part_is_wanted_until_it_was_tried_or_could_not_be() -> None:
    found = Found(Side("candidate", "x", tests=()), {"drift": "no"})
    assert [found.wants(part) for part in ("tests", "drift", "logs")] == [False, False, True]
    assert found.done().not_tried == {"drift": "no"}
    assert found.done().not_tried is not found.not_tried


@pytest.mark.parametrize(("alone", "said"), [(True, "words"), (False, "candidate: words")])
def test_lines_name_their_side_where_another_one_works(alone: bool, said: str) -> None:
    lines: list[tuple[str, str, str | None]] = []
    phase = Phase(
        lambda area, text, *, node=None: lines.append((area, text, node)),
        name="" if alone else "candidate",
    )
    assert phase.now == "packages"
    phase("ready", "words", node="jms")
    assert lines == [("ready", said, "jms")]
    assert phase.now == "ready"
