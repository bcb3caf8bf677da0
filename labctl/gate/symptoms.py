"""Findings from what was seen when packages were installed: how bad each symptom is, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from labctl.gate.model import (
    CaseOutcome,
    GateCase,
    GateFinding,
    PlayedScenario,
    Severity,
    Side,
    TriedIn,
)
from labctl.upgrade.model import Action, InstallStep, Observation, Symptom

PACKAGES, UPGRADE = "packages", "upgrade"
"""The areas of findings."""

MILDER = {
    Severity.FAIL: Severity.ATTENTION,
    Severity.UNDECIDED: Severity.ATTENTION,
    Severity.ATTENTION: Severity.INFO,
    Severity.INFO: Severity.INFO,
}
"""What a finding does to the verdict if the baseline has it as well."""

LATE = (Symptom.HANGS, Symptom.NOT_READY, Symptom.CALL, Symptom.DRAIN)
"""What a busy machine can explain."""


def severity_of(symptom: Symptom) -> Severity:
    """What a symptom does to the verdict if the candidate's packages alone are the reason."""
    match symptom:
        case (
            Symptom.FAILED
            | Symptom.HANGS
            | Symptom.UNMET
            | Symptom.CONFFILE
            | Symptom.NOT_RESTARTED
            | Symptom.NOT_READY
            | Symptom.CALL
        ):
            return Severity.FAIL
        case (
            Symptom.QUESTION
            | Symptom.LEFT_OVER
            | Symptom.CHANGED
            | Symptom.RESTARTED
            | Symptom.CONFIG
            | Symptom.DRAIN
        ):
            return Severity.ATTENTION
        case _:
            assert_never(symptom)


def judge_installs(side: Side) -> Iterator[GateFinding]:
    """Findings on the installations on bare machines, and a note of each package not tried."""
    yield from _of_trials(PACKAGES, side.installs or (), known=of_baseline(side))
    for package in side.tried or ():
        # What the set does not have is no finding about it.
        if package.tried is TriedIn.NOWHERE and package.version:
            text = f"not tried: {package.reason}"
            yield GateFinding(PACKAGES, package.name, Severity.ATTENTION, text)


def judge_upgrades(side: Side) -> Iterator[GateFinding]:
    """Findings on the upgrades, and on tests that passed on fresh images and fail after one."""
    fresh = {case.name: case.outcome for case in side.tests or ()}
    yield from _of_trials(UPGRADE, side.upgrades or (), known=of_baseline(side))
    for trial in side.upgrades or ():
        for case in trial.tests or ():
            if case.outcome is CaseOutcome.FAILED and fresh.get(case.name) is CaseOutcome.PASSED:
                text = f"passes on new images, fails after '{trial.scenario.name}': {case.message}"
                severity = Severity.UNDECIDED if _disturbed(trial) else Severity.FAIL
                yield GateFinding(UPGRADE, case.name, severity, text.partition("\n")[0])


Key = tuple[Symptom, str, str | None]
"""What makes two observations the same, whatever the step and the node."""

UPSTREAM: Mapping[Key, str] = {
    # docs/facts/observed-labs.md, 16
    (Symptom.NOT_RESTARTED, "prosody.service", "jitsi-meet-prosody"): (
        "Upstream's package restarts Prosody only when it has changed its configuration: "
        "'systemctl restart prosody' is for the administrator."
    ),
}
"""What upstream's packages have always done, which is no fault of a candidate, and why."""


def _key(seen: Observation) -> Key:
    return seen.symptom, seen.subject, seen.package


def of_baseline(side: Side) -> frozenset[Key]:
    """What was seen of the baseline's packages when they were installed for an upgrade."""
    return frozenset(
        _key(seen)
        for trial in side.upgrades or ()
        for step in trial.scenario.steps
        if step.action is Action.INSTALL
        for seen in step.observations
    )


def _of_trials(
    area: str, trials: Sequence[PlayedScenario], *, known: frozenset[Key]
) -> Iterator[GateFinding]:
    """Each finding once; what the baseline has too does not fail the candidate."""
    told: set[tuple[Key, Severity]] = set()
    for trial in trials:
        for step in trial.scenario.steps:
            for seen in step.observations:
                severity = _severity(area, trial, step, seen)
                also, why = _key(seen) in known, UPSTREAM.get(_key(seen))
                if also or why:
                    severity = MILDER[severity]
                if (_key(seen), severity) in told:
                    continue
                told.add((_key(seen), severity))
                who = f"{seen.package}: " if seen.package else ""
                text = f"{seen.symptom} ('{step.name}' on {seen.node}): {seen.text.splitlines()[0]}"
                text += f" {why}" if why else ""
                text += " So it is with the baseline." if also else ""
                yield GateFinding(area, f"{who}{seen.subject}", severity, text)


def _severity(area: str, trial: PlayedScenario, step: InstallStep, seen: Observation) -> Severity:
    severity = severity_of(seen.symptom)
    if seen.ours:
        return Severity.INFO
    if severity is Severity.FAIL and area == UPGRADE:
        match step.action:
            case Action.INSTALL | Action.DOWNGRADE:
                # The older packages themselves, or their scripts.
                return Severity.ATTENTION
            case Action.UPGRADE | Action.PURGE | Action.REINSTALL:
                pass
            case _:
                assert_never(step.action)
    if severity is Severity.FAIL and seen.symptom in LATE and _disturbed(trial):
        return Severity.UNDECIDED
    return severity


def _disturbed(trial: PlayedScenario) -> bool:
    return trial.load is not None and trial.load.disturbed


def package_cases(side: Side) -> Iterator[GateCase]:
    """For JUnit: a case of each package, skipped if it was not tried; findings have their own."""
    for item in side.tried or ():
        if item.tried is TriedIn.NOWHERE:
            yield GateCase(item.name, CaseOutcome.SKIPPED, 0.0, f"not tried: {item.reason}")
        else:
            yield GateCase(item.name, CaseOutcome.PASSED, 0.0, f"tried {item.tried}")


def untried(side: Side) -> list[str]:
    """The packages of the set that were not tried; those that it does not have are not among
    them."""
    return [
        item.name for item in side.tried or () if item.tried is TriedIn.NOWHERE and item.version
    ]


def tried_text(side: Side) -> str:
    """How many packages were tried, and which were not, in a line."""
    if side.tried is None:
        return f"not tried: {side.not_tried.get(PACKAGES, 'it did not come to that')}"
    left = [item for item in side.tried if item.tried is TriedIn.NOWHERE]
    text = f"{len(side.tried) - len(left)} of {len(side.tried)} tried"
    names = ", ".join(f"{item.name} ({item.reason})" for item in left)
    return f"{text}; not tried: {names}" if left else text


def upgrade_text(side: Side) -> str:
    """How many upgrades were played, and for how long their calls had no sound, in a line."""
    if side.upgrades is None:
        return f"not tried: {side.not_tried.get(UPGRADE, 'it did not come to that')}"
    steps = [step for trial in side.upgrades for step in trial.scenario.steps]
    lost = [trial.scenario.lost for trial in side.upgrades if trial.scenario.lost is not None]
    text = f"{len(side.upgrades)} played, {len(steps)} steps"
    if lost:
        text = f"{text}; calls without sound for {', '.join(f'{each:.1f} s' for each in lost)}"
    reason = side.not_tried.get(UPGRADE)
    return f"{text}; not tried: {reason}" if reason else text
