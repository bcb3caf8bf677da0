"""From what was seen to a verdict: values in, values out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from labctl.drills.model import Act, Drill, Expectation, Finding, Moment, Verdict, Who
from labctl.waiting import scaled

NOT_JUDGED = "not judged"
NOBODY = "nobody this is about was there"


def judge(
    drill: Drill,
    moments: Sequence[Moment],
    *,
    subjects: Mapping[tuple[int, Who], Collection[str]],
) -> tuple[Finding, ...]:
    """How each expectation of each act came out; `subjects` says who was meant by each part."""
    return tuple(
        judge_one(index, each, moments, subjects=subjects.get((index, each.who), ()))
        for index, act in enumerate(drill.acts)
        for each in act.expects
    )


def judge_one(
    act: int, expectation: Expectation, moments: Iterable[Moment], *, subjects: Collection[str]
) -> Finding:
    """How one expectation came out."""
    here = [each for each in moments if each.act == act]
    if not is_due(expectation, here):
        seen = f"{NOT_JUDGED}, because '{expectation.only_if}' was not seen"
        return Finding(act, expectation.says, Verdict.EXPECTED, seen)
    mine = [each for each in here if each.mark is expectation.mark]
    times = first_times(expectation, mine, subjects=subjects)
    if expectation.within is None:
        verdict, seen = _judge_never(expectation, times, subjects)
    else:
        verdict, seen = _judge_within(expectation, times, subjects)
    return Finding(act, expectation.says, verdict, seen)


def is_due(expectation: Expectation, moments: Iterable[Moment]) -> bool:
    """Whether an expectation is to be judged after these moments of its act."""
    return expectation.only_if in (None, *(each.mark for each in moments))


def first_times(
    expectation: Expectation, moments: Iterable[Moment], *, subjects: Collection[str]
) -> dict[str, float]:
    """When each subject first had it; for Jicofo any subject counts as Jicofo itself.

    What must never be seen counts from `earliest` on.
    """
    floor = expectation.earliest if expectation.within is None else 0.0
    found: dict[str, float] = {}
    for moment in sorted(moments, key=lambda each: each.at):
        name = "jicofo" if expectation.who is Who.JICOFO else moment.subject
        if name in subjects and moment.at >= floor:
            found.setdefault(name, moment.at)
    return found


def _judge_never(
    expectation: Expectation, times: Mapping[str, float], subjects: Collection[str]
) -> tuple[Verdict, str]:
    if not subjects:
        return Verdict.EXPECTED, NOBODY
    if not times:
        return Verdict.EXPECTED, f"'{expectation.mark}' was not seen"
    return expectation.otherwise, f"'{expectation.mark}' {_spread(times, subjects)}"


def _judge_within(
    expectation: Expectation, times: Mapping[str, float], subjects: Collection[str]
) -> tuple[Verdict, str]:
    assert expectation.within is not None
    if not subjects:
        return Verdict.WORSE, NOBODY
    if not times:
        return expectation.otherwise, f"'{expectation.mark}' was not seen"
    seen = f"'{expectation.mark}' {_spread(times, subjects)}"
    if len(times) < len(subjects) or max(times.values()) > scaled(expectation.within):
        return expectation.otherwise, seen
    if max(times.values()) < expectation.earliest:
        return expectation.early, seen
    return Verdict.EXPECTED, seen


def _spread(times: Mapping[str, float], subjects: Collection[str]) -> str:
    first, last = min(times.values()), max(times.values())
    when = f"after {first:.1f} s" if last - first < 0.1 else f"after {first:.1f}-{last:.1f} s"
    missing = len(subjects) - len(times)
    return f"{when}; {missing} of {len(subjects)} never" if missing else when


def is_settled(
    index: int,
    act: Act,
    moments: Sequence[Moment],
    *,
    subjects: Mapping[tuple[int, Who], Collection[str]],
    but: Who | None = None,
) -> float | None:
    """When everything that must be seen had been, `but` what is about these; None before."""
    latest = max([0.0, *(each.at for each in act.tries)])
    here = [each for each in moments if each.act == index]
    for each in act.expects:
        if each.within is None or each.who is but or not is_due(each, here):
            continue
        about = subjects.get((index, each.who), ())
        mine = [one for one in here if one.mark is each.mark]
        times = first_times(each, mine, subjects=about)
        if len(times) < len(about):
            return None
        latest = max([latest, *times.values()])
    return latest


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """One worse finding makes a drill worse; else one better makes it better."""
    verdicts = {each.verdict for each in findings}
    for verdict in (Verdict.WORSE, Verdict.BETTER):
        if verdict in verdicts:
            return verdict
    return Verdict.EXPECTED
