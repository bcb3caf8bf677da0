"""What was seen when packages were installed, as findings and in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.gate.measures import Load
from labctl.gate.model import (
    CaseOutcome,
    GateCase,
    GateFinding,
    PlayedScenario,
    Severity,
    Side,
    TriedIn,
    TriedPackage,
)
from labctl.gate.symptoms import (
    judge_installs,
    judge_upgrades,
    package_cases,
    tried_text,
    untried,
    upgrade_text,
)
from labctl.upgrade.model import Action, InstallStep, Observation, Scenario, Symptom
from tests.gate.sides import FAILED, PASSED, SKIPPED, case

FAIL, ATTENTION, INFO = Severity.FAIL, Severity.ATTENTION, Severity.INFO
BUSY, QUIET = Load(60.0, 2, 0.9), Load(60.0, 2, 0.1)


def seen(
    symptom: Symptom, *, package: str | None = "jicofo", ours: bool = False, subject: str = "it"
) -> Observation:
    return Observation(symptom, "jms", subject, "It was seen.\nmore", package, ours)


def played(
    *observations: Observation,
    action: Action = Action.INSTALL,
    load: Load | None = QUIET,
    lost: float | None = None,
    tests: tuple[GateCase, ...] | None = None,
) -> PlayedScenario:
    step = InstallStep("the step", action, ("jms",), ("jicofo",), 1.0, lost, (), observations)
    return PlayedScenario(Scenario("a scenario", (step,)), tests, load)


def side_of(**values: object) -> Side:
    return Side("candidate", "debs:/x", **values)  # type: ignore[arg-type]


def told(symptom: Symptom) -> str:
    return f"{symptom} ('the step' on jms): It was seen."


def test_what_was_seen_is_told_with_its_package_step_and_node() -> None:
    side = side_of(
        installs=(played(seen(Symptom.FAILED), seen(Symptom.CALL, package=None, subject="call")),)
    )
    assert list(judge_installs(side)) == [
        GateFinding("packages", "jicofo: it", FAIL, told(Symptom.FAILED)),
        GateFinding("packages", "call", FAIL, told(Symptom.CALL)),
    ]


def test_a_package_that_was_not_tried_needs_a_look_if_the_set_has_it() -> None:
    side = side_of(
        tried=(
            TriedPackage("jigasi", "1", TriedIn.NOWHERE, "no Java"),
            TriedPackage("jibri", "", TriedIn.NOWHERE, "the set does not have it"),
            TriedPackage("jicofo", "1", TriedIn.LAB),
        )
    )
    assert list(judge_installs(side)) == [
        GateFinding("packages", "jigasi", ATTENTION, "not tried: no Java")
    ]
    assert untried(side) == ["jigasi"]
    assert untried(side_of()) == []
    assert list(judge_installs(side_of())) == []


def test_the_same_is_told_once_but_not_if_it_is_worse_elsewhere() -> None:
    late = seen(Symptom.NOT_READY)
    side = side_of(
        installs=(played(late, late, load=BUSY), played(late), played(late), played(
            seen(Symptom.NOT_READY, package=None)))
    )  # fmt: skip
    assert [(it.subject, it.severity) for it in judge_installs(side)] == [
        ("jicofo: it", Severity.UNDECIDED),
        ("jicofo: it", FAIL),
        ("it", FAIL),
    ]


def test_what_was_told_already_hides_nothing_after_it() -> None:
    late, other = seen(Symptom.NOT_READY), seen(Symptom.FAILED, subject="other")
    found = judge_installs(side_of(installs=(played(late, late, other),)))
    assert [it.subject for it in found] == ["jicofo: it", "jicofo: other"]


@pytest.mark.parametrize(
    ("symptom", "load", "severity"),
    [
        (Symptom.HANGS, BUSY, Severity.UNDECIDED),
        (Symptom.HANGS, QUIET, FAIL),
        (Symptom.HANGS, None, FAIL),
        (Symptom.CALL, BUSY, Severity.UNDECIDED),
        (Symptom.FAILED, BUSY, FAIL),
        (Symptom.DRAIN, BUSY, ATTENTION),
    ],
)
def test_load_excuses_only_what_was_late(
    symptom: Symptom, load: Load | None, severity: Severity
) -> None:
    (found,) = judge_installs(side_of(installs=(played(seen(symptom), load=load),)))
    assert found.severity is severity


@pytest.mark.parametrize(
    ("action", "severity"),
    [
        (Action.INSTALL, ATTENTION),
        (Action.DOWNGRADE, ATTENTION),
        (Action.UPGRADE, FAIL),
        (Action.PURGE, FAIL),
        (Action.REINSTALL, FAIL),
    ],
)
def test_older_packages_do_not_fail_a_candidate(action: Action, severity: Severity) -> None:
    trial = played(seen(Symptom.FAILED), action=action)
    (found,) = judge_upgrades(side_of(upgrades=(trial,)))
    # The baseline's own installation has it, so it is milder still.
    assert found.severity is (INFO if action is Action.INSTALL else severity)
    (found,) = judge_installs(side_of(installs=(trial,)))
    assert (found.area, found.severity) == ("packages", FAIL)


def test_what_is_labctls_own_fault_is_for_information() -> None:
    (found,) = judge_installs(side_of(installs=(played(seen(Symptom.FAILED, ours=True)),)))
    assert found.severity is INFO


@pytest.mark.parametrize(
    ("symptom", "load", "severity"),
    [
        (Symptom.FAILED, QUIET, ATTENTION),
        (Symptom.CALL, BUSY, ATTENTION),
        (Symptom.CONFIG, QUIET, INFO),
    ],
)
def test_what_the_baseline_has_as_well_is_milder(
    symptom: Symptom, load: Load, severity: Severity
) -> None:
    old = played(seen(symptom), action=Action.INSTALL)
    new = played(seen(symptom), action=Action.UPGRADE, load=load)
    (found,) = judge_installs(side_of(installs=(new,), upgrades=(old,)))
    text = f"{told(symptom)} So it is with the baseline."
    assert found == GateFinding("packages", "jicofo: it", severity, text)
    # After an upgrade it would be the candidate's.
    (found,) = judge_installs(side_of(installs=(new,), upgrades=(replace(new, load=QUIET),)))
    assert found.text == told(symptom)


@pytest.mark.parametrize(
    ("subject", "package", "severity"),
    [
        ("prosody.service", "jitsi-meet-prosody", ATTENTION),
        ("prosody.service", "jicofo", FAIL),
        ("jicofo.service", "jicofo", FAIL),
    ],
)
def test_what_upstream_has_always_done_fails_no_candidate(
    subject: str, package: str, severity: Severity
) -> None:
    observed = Observation(Symptom.NOT_RESTARTED, "jms", subject, "was not.", package=package)
    trial = played(observed, action=Action.UPGRADE)
    (found,) = judge_upgrades(side_of(upgrades=(trial,)))
    assert found.severity is severity
    assert ("Upstream's package restarts Prosody only when" in found.text) is (
        severity is ATTENTION
    )


@pytest.mark.parametrize(
    ("fresh", "after", "load", "severity"),
    [
        (PASSED, FAILED, QUIET, FAIL),
        (PASSED, FAILED, BUSY, Severity.UNDECIDED),
        (PASSED, FAILED, None, FAIL),
        (FAILED, FAILED, QUIET, None),
        (SKIPPED, FAILED, QUIET, None),
        (PASSED, PASSED, QUIET, None),
        (PASSED, SKIPPED, QUIET, None),
    ],
)
def test_tests_after_an_upgrade(
    fresh: CaseOutcome, after: CaseOutcome, load: Load | None, severity: Severity | None
) -> None:
    trial = played(tests=(case("test_a", after, "gone\nmore\nmore"),), load=load)
    side = side_of(tests=(case("test_a", fresh),), upgrades=(trial,))
    name, text = case("test_a").name, "passes on new images, fails after 'a scenario': gone"
    expected = [GateFinding("upgrade", name, severity, text)] if severity else []
    assert list(judge_upgrades(side)) == expected
    assert list(judge_upgrades(side_of(upgrades=(trial,)))) == []
    assert list(judge_upgrades(side_of(tests=(case("test_a", fresh),)))) == []


def test_packages_as_cases() -> None:
    side = side_of(
        tried=(
            TriedPackage("jicofo", "1", TriedIn.MACHINE),
            TriedPackage("jigasi", "1", TriedIn.NOWHERE, "no Java"),
        )
    )
    assert list(package_cases(side)) == [
        GateCase("jicofo", PASSED, 0.0, "tried on a machine of its own"),
        GateCase("jigasi", SKIPPED, 0.0, "not tried: no Java"),
    ]
    assert list(package_cases(side_of())) == []


def test_packages_in_words() -> None:
    lab = TriedPackage("jicofo", "1", TriedIn.LAB)
    left = (
        TriedPackage("jigasi", "1", TriedIn.NOWHERE, "no Java"),
        TriedPackage("jibri", "", TriedIn.NOWHERE, "not there"),
    )
    assert tried_text(side_of(tried=(lab, lab))) == "2 of 2 tried"
    assert tried_text(side_of(tried=(lab, *left))) == (
        "1 of 3 tried; not tried: jigasi (no Java), jibri (not there)"
    )
    assert tried_text(side_of()) == "not tried: it did not come to that"
    assert tried_text(side_of(not_tried={"packages": "no engine"})) == "not tried: no engine"


def test_upgrades_in_words() -> None:
    one, two = played(lost=6.25), played(lost=0.5)
    assert upgrade_text(side_of(upgrades=(one, two, played()))) == (
        "3 played, 3 steps; calls without sound for 6.2 s, 0.5 s"
    )
    assert upgrade_text(side_of(upgrades=(played(),))) == "1 played, 1 steps"
    reason = {"upgrade": "no engine"}
    assert upgrade_text(side_of(upgrades=(one,), not_tried=reason)) == (
        "1 played, 1 steps; calls without sound for 6.2 s; not tried: no engine"
    )
    assert upgrade_text(side_of(not_tried=reason)) == "not tried: no engine"
    assert upgrade_text(side_of()) == "not tried: it did not come to that"
