"""From what was seen on one side, or on two, to findings and a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from labctl.core.waiting import Patience
from labctl.gate.cases import judge_cases
from labctl.gate.certainty import LEAST_RUNS, TimingVerdict
from labctl.gate.contents import PackageChange, compare_contents
from labctl.gate.e2e import NOT_RUN, judge_e2e
from labctl.gate.logs import cut_sample, more_templates, new_templates
from labctl.gate.media import compare_media
from labctl.gate.model import (
    NOT_DUE,
    CaseOutcome,
    Gate,
    GateFinding,
    GateVerdict,
    LogTemplate,
    Severity,
    Side,
    Trouble,
)
from labctl.gate.resources import compare_resources
from labctl.gate.soak import compare_soak
from labctl.gate.symptoms import judge_installs, judge_upgrades, untried
from labctl.gate.timing import Timing, compare_timings

FAIL, ATTENTION, INFO = Severity.FAIL, Severity.ATTENTION, Severity.INFO

SPEEDS: Mapping[TimingVerdict, Severity | None] = {
    TimingVerdict.SLOWER: FAIL,
    TimingVerdict.UNCLEAR: Severity.UNDECIDED,
    TimingVerdict.FASTER: INFO,
    TimingVerdict.SAME: None,
    TimingVerdict.NOT_JUDGED: None,
}
"""What a figure does to the verdict, if anything."""

NOTHING = Side("baseline", "")
"""What a candidate is compared with if there is no baseline."""


def judge_gate(
    candidate: Side, baseline: Side | None = None, *, strict: bool = False, seconds: float = 0.0
) -> Gate:
    """Compare the candidate with what is wanted, and with the baseline if there is one.

    With `strict`, findings that need attention are failures."""
    for side in (baseline, candidate):
        if side is not None and side.trouble is not None:
            word, reason = _troubled(side, side.trouble)
            return Gate(word, reason, candidate, baseline, seconds=seconds)
    if not candidate.tests or not any(
        each.outcome is CaseOutcome.PASSED for each in candidate.tests
    ):
        reason = "no acceptance test finished on the candidate"
        return Gate(GateVerdict.NOT_JUDGED, reason, candidate, baseline, seconds=seconds)
    timings = compare_sides(candidate, baseline or NOTHING)
    findings = tuple(
        sorted(_findings(candidate, baseline), key=lambda each: list(Severity).index(each.severity))
    )
    deciding = [each for each in findings if each.severity is FAIL]
    if strict:
        deciding = [each for each in findings if each.severity in (FAIL, ATTENTION)]
    open_ones = [each for each in findings if each.severity is Severity.UNDECIDED]
    word = (
        GateVerdict.FAIL if deciding else GateVerdict.NOT_JUDGED if open_ones else GateVerdict.PASS
    )
    return Gate(
        word,
        _reason(deciding, open_ones, baseline) + _not_tried(candidate),
        candidate,
        baseline,
        findings,
        tuple(timings),
        seconds,
        _changes(candidate, baseline),
        strict,
    )


def _changes(candidate: Side, baseline: Side | None) -> tuple[PackageChange, ...]:
    """What differs in the packages, if what is in them is known on both sides."""
    if baseline is None or baseline.contents is None or candidate.contents is None:
        return ()
    return tuple(compare_contents(candidate.contents, baseline.contents))


def _troubled(side: Side, trouble: Trouble) -> tuple[GateVerdict, str]:
    """The verdict if a side did not finish."""
    if side.label == "candidate" and trouble.packages:
        who = f"package '{trouble.package}'" if trouble.package else "the candidate"
        return GateVerdict.FAIL, f"{who} failed in phase '{trouble.phase}'"
    return GateVerdict.NOT_JUDGED, f"the {side.label} could not be tried (phase '{trouble.phase}')"


def _reason(
    deciding: Sequence[GateFinding], open_ones: Sequence[GateFinding], baseline: Side | None
) -> str:
    if deciding:
        areas = list(dict.fromkeys(each.area for each in deciding))
        count = f"{len(deciding)} finding" + ("s" if len(deciding) > 1 else "")
        return f"{count} in {', '.join(areas)}"
    if any((each.area, each.subject) == NOT_RUN for each in open_ones):
        return "the end-to-end suite could not be run"
    if open_ones:
        names = [f"'{each.subject.rpartition('::')[2]}'" for each in open_ones[:3]]
        return f"this machine was too busy to judge {', '.join(names)}"
    return "as good as the baseline" if baseline else "everything passed"


def _not_tried(side: Side) -> str:
    """What a verdict does not speak of."""
    names = untried(side)
    return f"; not tried: {', '.join(names)}" if names else ""


def _findings(candidate: Side, baseline: Side | None) -> Iterator[GateFinding]:
    old = baseline or NOTHING
    yield from judge_cases("tests", candidate.tests, old.tests, load=candidate.load)
    yield from judge_cases("drills", candidate.drills, old.drills, load=candidate.load)
    yield from judge_e2e(candidate, old)
    if baseline is not None:
        yield from _ups(candidate, baseline)
    yield from _contract(candidate, old)
    yield from compare_media(candidate.media, old.media)
    yield from judge_installs(candidate)
    yield from judge_upgrades(candidate)
    yield from compare_resources(candidate.resources, old.resources)
    yield from compare_soak(candidate.soak, old.soak)
    yield from _drift(candidate, baseline)
    yield from _logs(candidate, baseline)


def compare_sides(candidate: Side, baseline: Side) -> list[Timing]:
    """Every figure of the candidate's runs beside the baseline's."""
    patience = Patience(max(candidate.patience, baseline.patience))
    return compare_timings(candidate.ups, baseline.ups, patience=patience)


def _ups(candidate: Side, baseline: Side) -> Iterator[GateFinding]:
    """Labs that came up only when tried again, and figures that differ."""
    for side in (candidate, baseline):
        for message in side.repeated:
            text = f"{side.label}: came up when tried again: {message.partition(chr(10))[0]}"
            yield GateFinding("timings", "up", ATTENTION, text)
    for timing in compare_sides(candidate, baseline):
        severity = SPEEDS[timing.verdict]
        if severity is not None:
            yield GateFinding("timings", timing.phase, severity, _speed_text(timing))
    if min(len(candidate.ups), len(baseline.ups)) < LEAST_RUNS:
        text = f"not judged: noise can be told only from {LEAST_RUNS} runs a side on ('--runs')"
        yield GateFinding("timings", "all", INFO, text)


def _speed_text(timing: Timing) -> str:
    new, old = timing.sides
    text = (
        f"{timing.verdict}: {new.median:.1f} s ({new.least:.1f}-{new.most:.1f})"
        f" against {old.median:.1f} s ({old.least:.1f}-{old.most:.1f})"
    )
    if timing.verdict is not TimingVerdict.UNCLEAR:
        return text
    counted = sum(pair.counts for pair in timing.pairs)
    return f"{text}; {counted} of {len(timing.pairs)} pairs count, but they vary too much"


def _contract(candidate: Side, old: Side) -> Iterator[GateFinding]:
    """Entries that do not hold.  They need attention and do not fail a candidate: what is written
    down is what was seen of older packages, and the tests say whether a lab works.  What is about
    other versions than the candidate's is not missing there."""
    not_due = {it.name for it in candidate.contract or () if it.message.startswith(NOT_DUE)}
    was = old.contract and tuple(it for it in old.contract if it.name not in not_due)
    for each in judge_cases("contract", candidate.contract, was, load=candidate.load):
        severity = ATTENTION if each.severity in (FAIL, Severity.UNDECIDED) else each.severity
        yield replace(each, severity=severity)


def _drift(candidate: Side, baseline: Side | None) -> Iterator[GateFinding]:
    """Without a baseline, differences that nobody has judged; with one, every change in what
    packages write."""
    new = {each.text: each for each in candidate.drift or ()}
    if baseline is None or baseline.drift is None:
        for each in new.values():
            if not each.judged:
                yield GateFinding("drift", each.text, ATTENTION, "nobody has explained it yet")
        return
    old = {each.text for each in baseline.drift}
    for text in new:
        if text not in old:
            yield GateFinding("drift", text, ATTENTION, "not there with the baseline")
    for text in sorted(old.difference(new)) if candidate.drift is not None else ():
        yield GateFinding("drift", text, ATTENTION, "was there with the baseline, is now gone")


def _logs(candidate: Side, baseline: Side | None) -> Iterator[GateFinding]:
    """Kinds of lines that nobody has judged, with a baseline only new ones, and kinds of which
    there are many more.  Those that load explains, or somebody has judged, never decide."""
    logs = candidate.logs or ()
    if baseline is None or baseline.logs is None:
        new = [each for each in logs if each.level == "error" and not each.reason]
        yield from (_log(each, f"{each.level}, {each.count}x", INFO) for each in new)
        return
    for each in new_templates(logs, baseline.logs):
        yield _log(each, f"new {each.level}, {each.count}x", INFO if each.reason else ATTENTION)
    for each, old in more_templates(logs, baseline.logs):
        # Why a line may be there does not say why there are hundreds of it.
        text = f"{each.level}, {each.count}x against {old.count}x with the baseline"
        yield _log(each, text, ATTENTION)


def _log(each: LogTemplate, what: str, severity: Severity) -> GateFinding:
    subject = f"{each.source} {each.origin}".strip()
    text = f"{what}: {cut_sample(each.sample)}"
    if each.reason:
        text = f"{text}; known: {each.reason}"
    elif each.load:
        text = f"{text}; a busy machine may explain it"
    return GateFinding("logs", subject, INFO if each.load else severity, text)
