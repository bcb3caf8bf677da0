"""Every package of a set is tried or named, and what upgrades showed: plans, findings, reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import silent
from labctl.gate import run, tried, upgrades
from labctl.gate.compare import judge_gate
from labctl.gate.job import Found, SideJob
from labctl.gate.junit import render_junit
from labctl.gate.measures import Load
from labctl.gate.model import (
    CaseOutcome,
    Gate,
    GateCase,
    GateVerdict,
    PlayedScenario,
    Severity,
    Side,
    TriedIn,
    TriedPackage,
)
from labctl.gate.page import render_page
from labctl.gate.report import render_text
from labctl.gate.symptoms import severity_of, tried_text, upgrade_text
from labctl.gate.tried import excuse, list_tried, plan_installs
from labctl.gate.upgrades import own_names
from labctl.images.debs import Deb
from labctl.images.packages import MAIN_PACKAGES, Package, PackageOrigin, PackageSet
from labctl.topology.spec import Spec
from labctl.upgrade.model import Action, InstallStep, Observation, Scenario, Symptom
from tests.gate.sides import case, make_side
from tests.upgrade.scene import FakeLarder

META, TURN, TOKENS = "jitsi-meet", "jitsi-meet-turnserver", "jitsi-meet-tokens"
BUSY, QUIET = Load(60.0, 2, 0.9), Load(60.0, 2, 0.1)


def deb(name: str) -> Deb:
    return Deb(name, "1.0", "all", Path(f"/x/{name}.deb"), "00")


def packages(*, extras: tuple[str, ...] = (META, TURN, TOKENS), mixed: bool = False) -> PackageSet:
    main = [Package(name, PackageOrigin.DEBS, "1.0", deb(name)) for name in MAIN_PACKAGES]
    if mixed:
        main[0] = replace(main[0], origin=PackageOrigin.STAND_INS)
    found = tuple(Package(name, PackageOrigin.DEBS, "1.0", deb(name)) for name in extras)
    return PackageSet(tuple(main), others=(deb("jigasi"),), extras=found)


def seen(symptom: Symptom, *, package: str | None = TOKENS, ours: bool = False) -> Observation:
    return Observation(symptom, "jms", "the step", f"it {symptom}.", package, ours)


def trial(
    *observations: Observation,
    action: Action = Action.INSTALL,
    load: Load = QUIET,
    names: tuple[str, ...] = (META, TOKENS),
    lost: float | None = None,
    tests: tuple[GateCase, ...] | None = None,
) -> PlayedScenario:
    step = InstallStep(
        f"{action} {', '.join(names)}", action, ("jms",), names, 1.0, lost, names, observations
    )
    return PlayedScenario(Scenario("a scenario", (step,)), tests, load)


def side_of(**values: Any) -> Side:
    return replace(make_side(tests=(case("test_a"),)), **values)


def test_the_metapackage_alone_and_with_each_choice() -> None:
    assert plan_installs([*MAIN_PACKAGES, META, TURN, TOKENS], quick=False) == [
        (META,),
        (META, TURN),
        (META, TOKENS),
        (META, TURN, TOKENS),
    ]


def test_without_a_metapackage_what_it_would_depend_on() -> None:
    assert plan_installs([*MAIN_PACKAGES, TURN], quick=False) == [
        MAIN_PACKAGES,
        (*MAIN_PACKAGES, TURN),
    ]


def test_quick_is_one_installation_of_everything() -> None:
    assert plan_installs([META, TOKENS], quick=True) == [(META, TOKENS)]


def test_every_package_is_somewhere() -> None:
    side = side_of(packages=dict.fromkeys(MAIN_PACKAGES, "1.0"))
    unmet = InstallStep(
        "install jigasi", Action.INSTALL, ("jms",), ("jigasi",), observations=(
            Observation(Symptom.UNMET, "jms", "x", "apt cannot: no.\n  more", "jigasi"),
        ),
    )  # fmt: skip
    first = trial(names=(META,))
    both = PlayedScenario(Scenario("s", (*first.scenario.steps, unmet)))
    found = {item.name: item for item in list_tried(packages(extras=(META, TURN)), side, [both])}
    assert {found[name].tried for name in MAIN_PACKAGES} == {TriedIn.LAB}
    assert found[META].tried is TriedIn.MACHINE
    assert found["jigasi"].reason == "apt cannot: no."
    assert found[TURN].tried is TriedIn.NOWHERE
    assert found[TURN].reason
    assert (found[TOKENS].tried, found[TOKENS].reason) == (
        TriedIn.NOWHERE,
        "the set does not have it",
    )


def test_a_package_whose_script_failed_was_tried() -> None:
    side = side_of(packages={})
    found = list_tried(packages(), side, [trial(seen(Symptom.FAILED))])
    assert {item.name for item in found if item.tried is TriedIn.MACHINE} == {META, TOKENS}


def test_unmet_dependencies_of_a_set_that_was_filled_up_are_no_fault() -> None:
    scenario = trial(seen(Symptom.UNMET), seen(Symptom.FAILED)).scenario
    assert [each.ours for each in excuse(scenario, packages(mixed=True)).observations] == [
        True,
        False,
    ]
    assert excuse(scenario, packages()) == scenario


def test_every_symptom_has_a_severity() -> None:
    deciding = {symptom for symptom in Symptom if severity_of(symptom) is Severity.FAIL}
    assert deciding == {
        Symptom.FAILED, Symptom.HANGS, Symptom.UNMET, Symptom.CONFFILE, Symptom.NOT_RESTARTED,
        Symptom.NOT_READY, Symptom.CALL,
    }  # fmt: skip


def test_a_failing_script_fails_the_gate_and_is_named_everywhere() -> None:
    side = side_of(
        tried=(TriedPackage(TOKENS, "1.0", TriedIn.MACHINE),),
        installs=(trial(seen(Symptom.FAILED)),),
    )
    gate = judge_gate(side)
    assert (gate.word, gate.reason) == (GateVerdict.FAIL, "1 finding in packages")
    (finding,) = [each for each in gate.findings if each.severity is Severity.FAIL]
    assert finding.subject == f"{TOKENS}: the step"
    assert f"'install {META}, {TOKENS}'" in finding.text
    for text in (
        render_text(gate, folder=Path("/r")),
        render_page(gate).replace("&#39;", "'"),
        json.dumps(gate.to_json()),
    ):
        assert TOKENS in text
        assert f"install {META}, {TOKENS}" in text
    failed = junit_cases(gate, "gate.packages")[f"{TOKENS}: the step"].find("failure")
    assert failed is not None
    assert "a script failed" in (failed.get("message") or "")


def junit_cases(gate: Gate, suite: str) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(render_junit(gate))
    (found,) = [each for each in root if each.get("name") == suite]
    return {str(each.get("name")): each for each in found}


def test_a_package_not_tried_is_named_everywhere_and_decides_nothing() -> None:
    left = TriedPackage(TURN, "1.0", TriedIn.NOWHERE, "no machine could be had")
    side = side_of(tried=(left, TriedPackage(META, "1.0", TriedIn.MACHINE)), installs=())
    gate = judge_gate(side)
    assert gate.word is GateVerdict.PASS
    told = f"1 of 2 tried; not tried: {TURN} (no machine could be had)"
    assert tried_text(side) == told
    assert gate.reason == f"everything passed; not tried: {TURN}"
    assert gate.reason in render_text(gate, folder=Path("/r"))
    assert told in render_page(gate)
    assert gate.to_json()["candidate"]["tried"][0] == {
        "name": TURN, "version": "1.0", "tried": "not tried", "reason": "no machine could be had",
    }  # fmt: skip
    cases = junit_cases(gate, "gate.packages")
    assert cases[TURN].find("skipped") is not None
    assert cases[META].find("skipped") is None


@pytest.mark.parametrize(
    ("observation", "action", "load", "word"),
    [
        (seen(Symptom.CONFFILE), Action.UPGRADE, QUIET, GateVerdict.FAIL),
        (seen(Symptom.CONFFILE, ours=True), Action.UPGRADE, QUIET, GateVerdict.PASS),
        (seen(Symptom.FAILED), Action.UPGRADE, BUSY, GateVerdict.FAIL),
        (seen(Symptom.FAILED), Action.PURGE, QUIET, GateVerdict.FAIL),
        (seen(Symptom.NOT_READY), Action.UPGRADE, QUIET, GateVerdict.FAIL),
        (seen(Symptom.NOT_READY), Action.UPGRADE, BUSY, GateVerdict.NOT_JUDGED),
        (seen(Symptom.FAILED), Action.INSTALL, QUIET, GateVerdict.PASS),
        (seen(Symptom.FAILED), Action.DOWNGRADE, QUIET, GateVerdict.PASS),
        (seen(Symptom.RESTARTED), Action.UPGRADE, QUIET, GateVerdict.PASS),
    ],
    ids=[
        "conffile", "conffile of labctl", "script, busy", "purge", "late", "late, busy",
        "baseline", "back", "twice",
    ],
)  # fmt: skip
def test_what_an_upgrade_does_to_the_verdict(
    observation: Observation, action: Action, load: Load, word: GateVerdict
) -> None:
    gate = judge_gate(side_of(upgrades=(trial(observation, action=action, load=load),)))
    assert gate.word is word
    assert [each.area for each in gate.findings] == ["upgrade"]


@pytest.mark.parametrize(
    ("fresh", "word"),
    [(CaseOutcome.PASSED, GateVerdict.FAIL), (CaseOutcome.SKIPPED, GateVerdict.PASS)],
)
def test_tests_that_pass_on_new_images_must_pass_after_an_upgrade(
    fresh: CaseOutcome, word: GateVerdict
) -> None:
    tests = (case("test_ok"), case("test_b", fresh))
    side = side_of(
        tests=tests,
        upgrades=(trial(tests=(case("test_b", CaseOutcome.FAILED, "gone"),), lost=None),),
    )
    assert judge_gate(side).word is word


def test_what_the_baseline_has_too_does_not_fail_the_candidate() -> None:
    no_call = seen(Symptom.CALL, package=None)
    both = side_of(installs=(trial(no_call),), upgrades=(trial(no_call),))
    gate = judge_gate(both)
    assert gate.word is GateVerdict.PASS
    (found,) = [each for each in gate.findings if each.area == "packages"]
    assert found.severity is Severity.ATTENTION
    assert found.text.endswith("So it is with the baseline.")
    assert judge_gate(side_of(installs=(trial(no_call),))).word is GateVerdict.FAIL


def test_what_is_seen_at_every_step_is_told_once() -> None:
    wrong = seen(Symptom.CONFIG)
    gate = judge_gate(side_of(installs=(trial(wrong), trial(wrong))))
    assert [each.severity for each in gate.findings] == [Severity.ATTENTION]


def test_what_calls_lost_is_told() -> None:
    side = side_of(upgrades=(trial(lost=6.25, action=Action.UPGRADE),))
    assert upgrade_text(side) == "1 played, 1 steps; calls without sound for 6.2 s"
    gate = judge_gate(side)
    assert "calls without sound for 6.2 s" in render_text(gate, folder=Path("/r"))
    row = f'<th scope="row">upgrade {META}, {TOKENS}</th><td>1.0</td><td>6.2</td>'
    assert row in render_page(gate)


def test_what_failed_and_is_no_package_has_a_case_too() -> None:
    side = side_of(
        tried=(TriedPackage(META, "1.0", TriedIn.MACHINE),),
        installs=(trial(seen(Symptom.CALL, package=None)),),
    )
    cases = junit_cases(judge_gate(side), "gate.packages")
    assert cases["the step"].find("failure") is not None
    assert cases[META].find("failure") is None


def test_gate_json_is_read_again() -> None:
    side = side_of(
        tried=(TriedPackage(META, "1", TriedIn.LAB),),
        installs=(trial(seen(Symptom.QUESTION)),),
        upgrades=(trial(seen(Symptom.CALL), action=Action.UPGRADE, lost=3.0),),
    )
    gate = judge_gate(side)
    assert Gate.from_json(json.loads(json.dumps(gate.to_json()))) == gate


def test_a_gate_without_trials_is_read() -> None:
    data = judge_gate(side_of()).to_json()
    for name in ("tried", "installs", "upgrades"):
        del data["candidate"][name]
    assert Gate.from_json(data).candidate.tried is None


def test_a_machine_that_cannot_be_had_is_a_reason_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise LabError("No engine answers.\n  more")

    monkeypatch.setattr(tried, "resolve", lambda *_, **__: packages())
    monkeypatch.setattr(tried, "CACHE", tmp_path)
    monkeypatch.setattr(tried, "open_larder", lambda *_, **__: FakeLarder(tmp_path))
    monkeypatch.setattr(tried, "bare_machine", refuse)
    found = Found(side_of(packages={"jicofo": "1.0"}))
    tried.try_set(SideJob("candidate", "x", Spec(), tmp_path), found, progress=silent)
    items = {item.name: item for item in found.side.tried or ()}
    assert items["jicofo"].tried is TriedIn.LAB
    assert items[META].reason == "No engine answers."
    assert judge_gate(found.side).word is GateVerdict.PASS


@pytest.mark.parametrize(
    ("labels", "quick", "trouble", "told"),
    [
        (("candidate",), False, None, ["set"]),
        (("baseline", "candidate"), False, None, ["set", "upgrade"]),
        (("baseline", "candidate"), True, None, ["set"]),
        (("baseline", "candidate"), False, "it died", []),
    ],
)
def test_when_packages_and_upgrades_are_tried(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    labels: tuple[str, ...],
    *,
    quick: bool,
    trouble: Any,
    told: list[str],
) -> None:
    done: list[str] = []
    monkeypatch.setattr(run, "try_set", lambda *_, **__: done.append("set"))
    monkeypatch.setattr(run, "try_upgrades", lambda *_, **__: done.append("upgrade"))
    jobs = [SideJob(label, "x", Spec(), tmp_path) for label in labels]
    found = {label: Found(Side(label, "x", trouble=trouble)) for label in labels}
    session: Any = SimpleNamespace(found=found)
    run.try_packages_of(jobs, session, quick=quick, progress=silent)
    assert done == told
    reason = found["candidate"].not_tried.get("upgrade")
    assert (reason is None) == ("upgrade" in told or trouble is not None)


def test_an_error_of_this_machine_is_the_reason_why_an_upgrade_was_not_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise LabError("The mirror does not answer.")

    monkeypatch.setattr(upgrades, "resolve", lambda *_, **__: packages())
    monkeypatch.setattr(upgrades, "CACHE", tmp_path)
    monkeypatch.setattr(upgrades, "open_larder", lambda *_, **__: FakeLarder(tmp_path))
    monkeypatch.setattr(upgrades, "bare_machine", refuse)
    monkeypatch.setattr(upgrades, "_lab_of", refuse)
    job = SideJob("candidate", "x", Spec(), tmp_path)
    found = Found(side_of())
    upgrades.try_upgrades(job, job, found, progress=silent)
    assert found.not_tried["upgrade"] == "The mirror does not answer."
    assert found.side.upgrades is None


def test_what_both_sets_have_is_upgraded(tmp_path: Path) -> None:
    def larder(*extras: str) -> Any:
        return FakeLarder(tmp_path, packages=(*MAIN_PACKAGES, *extras))

    assert own_names(larder(META, TURN), larder(META, TURN, TOKENS)) == (META, TURN)
    assert own_names(larder(), larder(META)) == MAIN_PACKAGES


@dataclass
class Installs:
    """What was installed on which machine; `breaks` is at which of them one cannot be had."""

    folder: Path
    said: list[Any] = field(default_factory=list)
    breaks: int | None = None

    @contextmanager
    def bare_machine(self, spec: Spec, *, progress: Any) -> Iterator[str]:
        if len(self.said) == self.breaks:
            raise LabError("No engine answers.\n  more\n  more")
        self.said.append([spec.lab, spec.jvbs])
        yield "a machine"

    def try_packages(
        self, machine: str, larder: Any, names: Any, *, also: Any, progress: Any
    ) -> Scenario:
        assert (machine, progress) == ("a machine", silent)
        self.said[-1] += [names, list(also)]
        return trial(seen(Symptom.UNMET), names=names).scenario

    def open_larder(self, job: SideJob, packages: PackageSet, *, folder: Path) -> Any:
        assert folder.parent == self.folder
        names = [item.name for item in (*packages.packages, *packages.extras)]
        return FakeLarder(folder, packages=tuple(names))


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Installs:
    found = Installs(tmp_path)
    monkeypatch.setattr(tried, "CACHE", tmp_path)
    monkeypatch.setattr(tried, "resolve", lambda *_, **__: packages(extras=(META, TOKENS)))
    for name in ("bare_machine", "try_packages", "open_larder"):
        monkeypatch.setattr(tried, name, getattr(found, name))
    monkeypatch.setattr(tried, "excuse", lambda scenario, _: replace(scenario, name="excused"))
    return found


def try_candidate(installs: Installs, *, quick: bool = False) -> Found:
    found = Found(side_of(packages={"jicofo": "1.1"}))
    job = SideJob("candidate", "x", Spec(lab="gate-candidate"), installs.folder, quick=quick)
    tried.try_set(job, found, progress=silent)
    return found


def test_each_choice_is_installed_on_a_machine_of_its_own(installs: Installs) -> None:
    found = try_candidate(installs)
    assert installs.said == [
        ["gate-candidate-bare", 0, (META,), ["jigasi"]],
        ["gate-candidate-bare", 0, (META, TOKENS), []],
    ]
    trials = found.side.installs or ()
    assert [each.scenario.name for each in trials] == ["excused", "excused"]
    assert all(each.load is not None and not each.load.measured for each in trials)
    items = {item.name: item for item in found.side.tried or ()}
    assert items["jicofo"].tried is TriedIn.LAB
    assert items["jitsi-videobridge2"].reason == "its installation did not come to an end"


def test_quick_installs_everything_once(installs: Installs) -> None:
    try_candidate(installs, quick=True)
    assert installs.said == [["gate-candidate-bare", 0, (META, TOKENS), ["jigasi"]]]


def test_what_was_installed_before_the_machine_failed_counts(installs: Installs) -> None:
    installs.breaks = 1
    found = try_candidate(installs)
    assert len(found.side.installs or ()) == 1
    items = {item.name: item for item in found.side.tried or ()}
    # The text of what was unmet comes first, then why there are no further trials.
    assert items[TOKENS].reason == "No engine answers."
    assert found.not_tried == {}


def test_packages_that_cannot_be_had_are_not_installed(
    installs: Installs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(packages: Any, *, cache: Path) -> None:
        assert cache == installs.folder
        raise LabError("There are none.\n  more\n  more")

    monkeypatch.setattr(tried, "resolve", refuse)
    found = try_candidate(installs)
    assert found.not_tried == {"packages": "There are none."}
    assert (found.side.installs, found.side.tried) == (None, None)


def test_where_each_package_was_tried() -> None:
    unmet = Observation(Symptom.UNMET, "jms", "x", "apt cannot: no.\n  more\n  more", "jigasi")
    step = InstallStep("s", Action.INSTALL, ("jms",), ("jigasi",), observations=(unmet,))
    good = InstallStep("g", Action.INSTALL, ("jms",), (META,), installed=(META, "other"))
    trials = [PlayedScenario(Scenario("s", (good, step)))]
    side = side_of(packages={"jicofo": "1.1"})
    held = packages(extras=(META, TURN))
    held = replace(held, packages=(held.packages[0], Package("new", PackageOrigin.JITSI)))
    assert held.packages[0].name == "jicofo"
    assert list_tried(held, side, trials) == (
        TriedPackage("jicofo", "1.1", TriedIn.LAB),
        TriedPackage("new", "", TriedIn.NOWHERE, "its installation did not come to an end"),
        TriedPackage(META, "1.0", TriedIn.MACHINE),
        TriedPackage(TURN, "1.0", TriedIn.NOWHERE, "its installation did not come to an end"),
        TriedPackage("jigasi", "1.0", TriedIn.NOWHERE, "apt cannot: no."),
        TriedPackage(TOKENS, "", TriedIn.NOWHERE, "the set does not have it"),
    )
    why = {item.name: item.reason for item in list_tried(held, side, trials, why="No engine.")}
    assert (why[TURN], why["jigasi"]) == ("No engine.", "apt cannot: no.")


@pytest.mark.parametrize(
    ("names", "mixed", "ours"),
    [
        (("jigasi",), False, True),
        (("jigasi", META), False, False),
        ((META,), False, False),
        ((META,), True, True),
    ],
    ids=["another package", "and one of Jitsi's", "Jitsi's", "of a mixed set"],
)
def test_whose_fault_unmet_dependencies_are(
    names: tuple[str, ...], mixed: bool, ours: bool
) -> None:
    scenario = trial(seen(Symptom.UNMET), seen(Symptom.FAILED), names=names).scenario
    found = excuse(scenario, packages(mixed=mixed))
    assert [each.ours for each in found.observations] == [ours, False]
    assert replace(found, steps=()) == replace(scenario, steps=())


def test_a_sides_larder_has_its_release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tried, "load_mirror", lambda: "mirror")
    monkeypatch.setattr(tried, "load_release", lambda name: f"release {name}")
    monkeypatch.setattr(tried, "Larder", lambda *words: words)
    job = SideJob("candidate", "x", Spec(), tmp_path)
    found: Any = tried.open_larder(job, packages(), folder=tmp_path)
    assert found == (packages(), "mirror", f"release {Spec().debian}", tmp_path)
