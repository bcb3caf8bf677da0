"""From what was seen to a verdict: values in, values out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from labctl.core.waiting import Patience
from labctl.drills.findings import Moment
from labctl.drills.model import Act, Drill, Expectation, Mark, RaceOutcome, Who
from labctl.report.drill import DrillFinding, DrillVerdict
from labctl.topology.versions import NEWEST_KNOWN

NOT_JUDGED = "not judged"
NOBODY = "nobody this is about was there"
CLOCK_ERROR = 0.05
"""How many seconds a time from a node's log may be off."""
Subjects = Mapping[tuple[int, Who], Collection[str]]


def judge_drill(
    drill: Drill,
    moments: Sequence[Moment],
    *,
    subjects: Subjects,
    patience: Patience,
    installed: Mapping[str, str] = NEWEST_KNOWN,
) -> tuple[DrillFinding, ...]:
    """How each expectation of each act came out; `subjects` says who was meant by each part.

    `installed` are versions by package: only what is expected of these is judged.
    """
    found: list[DrillFinding] = []
    for index, act in enumerate(drill.acts):
        if act.outcomes:
            found.append(_judge_race(index, act, moments, subjects))
        found += [
            judge_one(
                index, each, moments, subjects=subjects.get((index, each.who), ()),
                patience=patience, hit=subjects.get((index, Who.HIT), ()),
            )
            for each in expected(index, act, moments, subjects=subjects, installed=installed)
        ]  # fmt: skip
    return tuple(found)


def expected(
    index: int,
    act: Act,
    moments: Iterable[Moment],
    *,
    subjects: Subjects,
    installed: Mapping[str, str],
) -> tuple[Expectation, ...]:
    """What is expected of these packages in an act, as far as a race in it is decided."""
    outcome = outcome_of(index, act, moments, subjects=subjects)
    every = act.expects if outcome is None else (*act.expects, *outcome.expects)
    return tuple(one for one in every if one.versions is None or one.versions.hold(installed))


def outcome_of(
    index: int, act: Act, moments: Iterable[Moment], *, subjects: Subjects
) -> RaceOutcome | None:
    """The outcome whose first mark was seen before those of the others; None before any was."""
    by_mark = {one.first: one for one in act.outcomes}
    hit = subjects.get((index, Who.HIT), ())
    deciding = (
        each
        for each in sorted(moments, key=lambda each: each.at)
        if each.act == index and each.subject in hit and each.mark in by_mark
    )
    first = next(deciding, None)
    return None if first is None else by_mark[first.mark]


def _judge_race(
    index: int, act: Act, moments: Iterable[Moment], subjects: Subjects
) -> DrillFinding:
    outcome = outcome_of(index, act, moments, subjects=subjects)
    if outcome is not None:
        return DrillFinding(
            index, outcome.says, DrillVerdict.EXPECTED, f"'{outcome.first}' came first"
        )
    marks = " nor ".join(f"'{one.first}'" for one in act.outcomes)
    says = "one of: " + "; ".join(one.says for one in act.outcomes)
    return DrillFinding(index, says, DrillVerdict.WORSE, f"neither {marks} was seen")


def judge_one(
    act: int,
    expectation: Expectation,
    moments: Iterable[Moment],
    *,
    subjects: Collection[str],
    patience: Patience,
    hit: Collection[str] = (),
) -> DrillFinding:
    """How one expectation came out; `hit` are those whose mark may be its cause."""
    here = [each for each in moments if each.act == act]
    if not is_due(expectation, here):
        why = (
            f"'{expectation.unless}' was"
            if _prevented(expectation, here)
            else (f"'{expectation.only_if}' was not")
        )
        seen = f"{NOT_JUDGED}, because {why} seen"
        return DrillFinding(act, expectation.says, DrillVerdict.EXPECTED, seen, judged=False)
    cause = cause_at(expectation, here, hit=hit)
    if cause is None:
        seen = f"'{expectation.cause}', which causes it, was not seen"
        return DrillFinding(act, expectation.says, expectation.otherwise, seen)
    mine = [each for each in here if each.mark is expectation.mark]
    subjects = concerned(expectation, here, subjects=subjects)
    found = first_times(expectation, mine, subjects=subjects, cause=cause)
    times = {name: max(at - cause, 0.0) for name, at in found.items()}
    if expectation.within is None:
        verdict, seen = _judge_never(expectation, times, subjects)
    else:
        verdict, seen = _judge_within(expectation, times, subjects, patience)
    return DrillFinding(act, expectation.says, verdict, seen)


def is_due(expectation: Expectation, moments: Iterable[Moment]) -> bool:
    """Whether an expectation is to be judged after these moments of its act."""
    here = tuple(moments)
    seen = {each.mark for each in here}
    return expectation.only_if in (None, *seen) and not _prevented(expectation, here)


def concerned(
    expectation: Expectation, moments: Iterable[Moment], *, subjects: Collection[str]
) -> Collection[str]:
    """Of whom an expectation is asked: of those who had its `only_if` themselves, if any of them
    had; for whom nothing stopped, nothing comes back."""
    had = {each.subject for each in moments if each.mark is expectation.only_if}
    return [name for name in subjects if name in had] or subjects


def _prevented(expectation: Expectation, moments: Iterable[Moment]) -> bool:
    unless = expectation.unless
    return unless is not None and any(each.mark is unless for each in moments)


def cause_at(
    expectation: Expectation, moments: Iterable[Moment], *, hit: Collection[str]
) -> float | None:
    """From when on an expectation's seconds count: the act (0), or its cause; None before that.

    Jicofo registers by the names of its connections, so there any of them counts.
    """
    if expectation.cause is None:
        return 0.0
    times = (
        each.at
        for each in moments
        if each.mark is expectation.cause and (each.subject in hit or each.mark is Mark.REGISTERED)
    )
    return min(times, default=None)


def first_times(
    expectation: Expectation,
    moments: Iterable[Moment],
    *,
    subjects: Collection[str],
    cause: float = 0.0,
) -> dict[str, float]:
    """When each subject first had it; for Jicofo any subject counts as Jicofo itself.

    What was before the cause has another one.  What must never be seen counts from `earliest` on.
    """
    floor = cause - (CLOCK_ERROR if expectation.cause is not None else 0.0)
    if expectation.within is None:
        floor += expectation.earliest
    found: dict[str, float] = {}
    for moment in sorted(moments, key=lambda each: each.at):
        name = "jicofo" if expectation.who is Who.JICOFO else moment.subject
        if name in subjects and moment.at >= floor:
            found.setdefault(name, moment.at)
    return found


def _judge_never(
    expectation: Expectation, times: Mapping[str, float], subjects: Collection[str]
) -> tuple[DrillVerdict, str]:
    if not subjects:
        return DrillVerdict.EXPECTED, NOBODY
    if not times:
        return DrillVerdict.EXPECTED, f"'{expectation.mark}' was not seen"
    return expectation.otherwise, f"'{expectation.mark}' {_spread(times, subjects)}"


def _judge_within(
    expectation: Expectation,
    times: Mapping[str, float],
    subjects: Collection[str],
    patience: Patience,
) -> tuple[DrillVerdict, str]:
    assert expectation.within is not None
    if not subjects:
        return DrillVerdict.WORSE, NOBODY
    if not times:
        return expectation.otherwise, f"'{expectation.mark}' was not seen"
    seen = f"'{expectation.mark}' {_spread(times, subjects)}"
    if expectation.cause is not None:
        seen += f" (from '{expectation.cause}' on)"
    if len(times) < len(subjects) or max(times.values()) > patience.scaled(expectation.within):
        return expectation.otherwise, seen
    if max(times.values()) < expectation.earliest:
        return expectation.early, seen
    return DrillVerdict.EXPECTED, seen


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
    subjects: Subjects,
    but: Who | None = None,
    installed: Mapping[str, str] = NEWEST_KNOWN,
) -> float | None:
    """When everything that must be seen had been, `but` what is about these; None before."""
    if act.outcomes and outcome_of(index, act, moments, subjects=subjects) is None:
        return None
    latest = max([0.0, *(each.at for each in act.tries)])
    hit = subjects.get((index, Who.HIT), ())
    here = [each for each in moments if each.act == index]
    for each in expected(index, act, moments, subjects=subjects, installed=installed):
        if each.within is None or each.who is but or not is_due(each, here):
            continue
        about = concerned(each, here, subjects=subjects.get((index, each.who), ()))
        mine = [one for one in here if one.mark is each.mark]
        cause = cause_at(each, here, hit=hit)
        if cause is None:
            return None
        times = first_times(each, mine, subjects=about, cause=cause)
        if len(times) < len(about):
            return None
        latest = max([latest, *times.values()])
    return latest


def verdict_of(findings: Iterable[DrillFinding]) -> DrillVerdict:
    """One worse finding makes a drill worse; else one better makes it better."""
    verdicts = {each.verdict for each in findings}
    for verdict in (DrillVerdict.WORSE, DrillVerdict.BETTER):
        if verdict in verdicts:
            return verdict
    return DrillVerdict.EXPECTED
