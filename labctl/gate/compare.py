"""From what was seen on one side, or on two, to findings and a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labctl.gate.logs import new_templates
from labctl.gate.model import Case, Finding, Gate, Outcome, Severity, Side, Trouble, Word
from labctl.gate.timing import LEAST_RUNS, compare_timings

FAIL, ATTENTION, INFO = Severity.FAIL, Severity.ATTENTION, Severity.INFO


def judge(
    candidate: Side, baseline: Side | None = None, *, strict: bool = False, seconds: float = 0.0
) -> Gate:
    """Hold the candidate against what is wanted, and against the baseline where there is one.

    With `strict` what needs attention fails, too.
    """
    for side in (baseline, candidate):
        if side is not None and side.trouble is not None:
            word, reason = _troubled(side, side.trouble)
            return Gate(word, reason, candidate, baseline, seconds=seconds)
    if not candidate.tests or not any(each.outcome is Outcome.PASSED for each in candidate.tests):
        reason = "no acceptance test ran to its end on the candidate"
        return Gate(Word.NOT_JUDGED, reason, candidate, baseline, seconds=seconds)
    timings = compare_timings(candidate.ups, baseline.ups if baseline else ())
    findings = tuple(
        sorted(_findings(candidate, baseline), key=lambda each: list(Severity).index(each.severity))
    )
    deciding = [each for each in findings if each.severity is FAIL]
    if strict:
        deciding = [each for each in findings if each.severity is not INFO]
    word = Word.FAIL if deciding else Word.PASS
    return Gate(
        word,
        _reason(deciding, baseline),
        candidate,
        baseline,
        findings,
        tuple(each.to_json() for each in timings),
        seconds,
    )


def _troubled(side: Side, trouble: Trouble) -> tuple[Word, str]:
    """The verdict when a side did not get to its end."""
    if side.label == "candidate" and trouble.packages:
        who = f"package '{trouble.package}'" if trouble.package else "the candidate"
        return Word.FAIL, f"{who} failed in phase '{trouble.phase}'"
    return Word.NOT_JUDGED, f"the {side.label} could not be tried (phase '{trouble.phase}')"


def _reason(deciding: Sequence[Finding], baseline: Side | None) -> str:
    if deciding:
        areas = list(dict.fromkeys(each.area for each in deciding))
        count = f"{len(deciding)} finding" + ("s" if len(deciding) > 1 else "")
        return f"{count} in {', '.join(areas)}"
    return "as good as the baseline" if baseline else "everything passed"


def _findings(candidate: Side, baseline: Side | None) -> Iterator[Finding]:
    old = baseline or Side("baseline", "")
    yield from _cases("tests", candidate.tests, old.tests)
    yield from _cases("drills", candidate.drills, old.drills)
    if baseline is not None:
        yield from _timings(candidate, baseline)
    yield from _drift(candidate, baseline)
    yield from _logs(candidate, baseline)


def _cases(area: str, new: Sequence[Case] | None, old: Sequence[Case] | None) -> Iterator[Finding]:
    before = {each.name: each for each in old or ()}
    for case in new or ():
        was = before.pop(case.name, None)
        found = _case(area, case, was)
        if found is not None:
            yield found
    if new is None or old is None:
        return
    for name, was in before.items():
        if was.outcome in (Outcome.PASSED, Outcome.FLAKY):
            yield Finding(area, name, FAIL, "ran with the baseline and is not there any more")


def _case(area: str, case: Case, was: Case | None) -> Finding | None:
    """What one test or drill says, given what it said with the baseline (None: nothing)."""
    message = case.message.partition("\n")[0]
    if case.outcome is Outcome.FAILED:
        if was is not None and was.outcome is Outcome.FAILED:
            return Finding(area, case.name, ATTENTION, f"fails on both sides: {message}")
        return Finding(area, case.name, FAIL, message)
    if case.outcome is Outcome.FLAKY:
        return Finding(area, case.name, ATTENTION, f"failed, passed when tried again: {message}")
    if case.outcome is Outcome.SKIPPED and was is not None and was.outcome is Outcome.PASSED:
        return Finding(area, case.name, FAIL, f"passed with the baseline, now skipped: {message}")
    if was is not None and was.outcome is Outcome.FAILED and case.outcome is Outcome.PASSED:
        return Finding(area, case.name, INFO, "failed with the baseline and passes now")
    return None


def _timings(candidate: Side, baseline: Side) -> Iterator[Finding]:
    for timing in compare_timings(candidate.ups, baseline.ups):
        new, old = timing.to_json()["candidate"], timing.to_json()["baseline"]
        if timing.verdict in ("slower", "faster"):
            severity = FAIL if timing.verdict == "slower" else INFO
            text = (
                f"{timing.verdict}: {new['median']:.1f} s ({new['least']:.1f}-{new['most']:.1f})"
                f" against {old['median']:.1f} s ({old['least']:.1f}-{old['most']:.1f})"
            )
            yield Finding("timings", timing.phase, severity, text)
    if min(len(candidate.ups), len(baseline.ups)) < LEAST_RUNS:
        text = f"not judged: their noise shows from {LEAST_RUNS} runs a side on ('--runs')"
        yield Finding("timings", "all", INFO, text)


def _drift(candidate: Side, baseline: Side | None) -> Iterator[Finding]:
    """Without a baseline what nobody has judged; with one every change of what packages write."""
    new = {each.text: each for each in candidate.drift or ()}
    if baseline is None or baseline.drift is None:
        for each in new.values():
            if not each.judged:
                yield Finding("drift", each.text, ATTENTION, "nobody has given a reason for it")
        return
    old = {each.text for each in baseline.drift}
    for text in new:
        if text not in old:
            yield Finding("drift", text, ATTENTION, "new against the baseline")
    for text in old.difference(new) if candidate.drift is not None else ():
        yield Finding("drift", text, ATTENTION, "was with the baseline and is gone")


def _logs(candidate: Side, baseline: Side | None) -> Iterator[Finding]:
    if baseline is None:
        errors = [each for each in candidate.logs or () if each.level == "error"]
        for each in errors:
            yield Finding("logs", each.source, INFO, f"{each.level}, {each.count}x: {each.sample}")
        return
    for each in new_templates(candidate.logs or (), baseline.logs or ()):
        yield Finding(
            "logs", each.source, ATTENTION, f"new {each.level}, {each.count}x: {each.sample}"
        )
