"""A drill and its result for programs and reports, and as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import shorten
from typing import Any, assert_never

from labctl.drills.faults import Start, Undo, describe
from labctl.drills.findings import DrillResult, Hearing, Moment
from labctl.drills.model import Drill, Mark, Who
from labctl.report.drill import (
    ActRecord,
    DrillRecord,
    DrillVerdict,
    HeardRecord,
    MomentRecord,
    PersonRecord,
)

TOLD = (Mark.NEWCOMER_IN, Mark.NEWCOMER_OUT, Mark.NO_WAY)
"""Marks whose detail is worth its place in the text."""
CHANCES = (Mark.GAVE_UP,)
"""Marks of what upstream does or does not do by chance, and by which a weakness shows."""
WORDS_OF_MEDIA = {"audio": "sound", "video": "picture"}
DETAIL = 180
"""Characters of what somebody met; JSON has all of them."""

LEAST_LOSS = 0.005
"""Of all packets; less is not worth a word."""

WORDS = {
    DrillVerdict.EXPECTED: "as expected",
    DrillVerdict.BETTER: "BETTER than upstream used to be",
    DrillVerdict.WORSE: "WORSE",
    DrillVerdict.SKIPPED: "skipped",
}


def drill_to_json(drill: Drill) -> dict[str, Any]:
    """What `drill list --json` shows of a drill."""
    return {
        "name": drill.name,
        "title": drill.title,
        "fault": drill.fault,
        "undone": drill.undone,
        "watched": drill.watched,
        "upstream": drill.upstream,
        "weakness": drill.weakness,
        "budget_seconds": drill.budget,
        "needs": [str(need) for need in drill.needs],
    }


def record_of(result: DrillResult) -> DrillRecord:
    """The result for others; `at` is seconds since the beginning of the act of a moment."""
    drill = result.drill
    return DrillRecord(
        name=drill.name,
        title=drill.title,
        fault=drill.fault,
        undone=drill.undone,
        watched=drill.watched,
        upstream=drill.upstream,
        weakness=drill.weakness,
        needs=tuple(map(str, drill.needs)),
        verdict=result.verdict,
        reason=result.reason,
        budget_seconds=result.patience.scaled(drill.budget),
        patience=result.patience.factor,
        began=round(result.began, 3),
        seconds=round(result.seconds, 2),
        hit=result.hit,
        stand_ins=result.stand_ins,
        acts=tuple(ActRecord(describe(act.fault), str(act.where)) for act in drill.acts),
        findings=result.findings,
        heard=tuple(render_hearing(result)),
        media=tuple(_heard_record(each) for each in result.hearing),
        watched_seconds=round(result.watched, 2),
        packages=dict(result.packages),
        newest=result.newest,
        people=tuple(PersonRecord(str(who), name) for who, name in result.people),
        timeline=tuple(_moment(each) for each in result.moments),
        healthy_after=None if result.healthy_after is None else round(result.healthy_after, 2),
        repaired=result.repaired,
        left=result.left,
    )


def _moment(it: Moment) -> MomentRecord:
    at = round(it.at, 3)
    return MomentRecord(it.act, at, str(it.who), it.subject, str(it.mark), it.detail)


def _heard_record(it: Hearing) -> HeardRecord:
    return HeardRecord(
        str(it.who), it.name, it.media, round(it.stopped, 3), round(it.longest, 3),
        it.at_the_end, round(it.loss, 4),
    )  # fmt: skip


def render_drill(drill: Drill) -> str:
    """One drill for the list: a line, and a second one for its weakness."""
    weak = f"\n{'':24}weak today: {drill.weakness}" if drill.weakness else ""
    return f"{drill.name:<23} {drill.title} ({drill.budget:.0f} s){weak}"


def render_result(result: DrillResult) -> str:
    """The verdict in one line, then what was expected and seen, then the timeline."""
    drill = result.drill
    lines = [f"{drill.name}: {WORDS[result.verdict]}" + _tail(result)]
    if result.verdict is DrillVerdict.SKIPPED:
        return lines[0]
    lines += [
        f"  {'ok' if each.verdict is DrillVerdict.EXPECTED else WORDS[each.verdict]:<6} "
        f"{each.says}: {each.seen}"
        for each in result.findings
    ]
    lines += [f"  {line}" for line in render_hearing(result)]
    lines += [f"  | {line}" for line in render_timeline(result)]
    if drill.weakness:
        lines += _weakness(result, drill.weakness)
    if result.repaired:
        lines.append(f"  Repaired afterwards: {result.repaired}.")
    if result.left:
        lines.append(f"  LEFT BROKEN: {result.left}")
    return "\n".join(lines)


def _weakness(result: DrillResult, weakness: str) -> list[str]:
    """What a drill's verdict says of upstream's weakness."""
    match result.verdict:
        case DrillVerdict.EXPECTED:
            chance = "" if _showed(result) else " (it did not show this time)"
            return [f"  Upstream's weakness{chance}: {weakness}"]
        case DrillVerdict.BETTER:
            return [f"  Upstream used to be weak here: {weakness}"]
        case DrillVerdict.WORSE | DrillVerdict.SKIPPED:
            return []
        case _:
            assert_never(result.verdict)


def _showed(result: DrillResult) -> bool:
    """Whether a weakness that shows by chance only, or in one outcome of a race, did show."""
    strong = {one.says for act in result.drill.acts for one in act.outcomes if not one.weak}
    by_chance = {
        each.says for act in result.drill.acts for each in act.possible
        if each.only_if in CHANCES
    }  # fmt: skip
    return not any(
        each.says in strong or (each.says in by_chance and not each.judged)
        for each in result.findings
    )


def _tail(result: DrillResult) -> str:
    if result.verdict is DrillVerdict.SKIPPED:
        return f": {result.reason}"
    why = f": {result.reason}" if result.reason else ""
    health = "" if result.healthy_after is None else f", healthy {result.healthy_after:.1f} s later"
    factor = result.patience.factor
    slow = f", every bound times {factor:g}" if factor > 1 else ""
    newest = "" if result.newest is None else f"; by the newest known packages: {result.newest}"
    return f" ({result.seconds:.0f} s{health}{slow}){newest}{why}"


def render_hearing(result: DrillResult) -> list[str]:
    """What people care about, a line for sound and picture of each part: how long it stopped, for
    how many, and whether it came back."""
    groups: dict[tuple[Who, str], list[Hearing]] = {}
    for each in result.hearing:
        groups.setdefault((each.who, each.media), []).append(each)
    mended = isinstance(result.drill.acts[-1].fault, Start | Undo)
    watched = f"watched for {result.watched:.0f} s"
    missing = "WHEN THE DRILL ENDED" if mended else "FOR THE REST OF THE CALL"
    return [
        f"{WORDS_OF_MEDIA[media]} of {who}: {_heard(some, media, missing=missing, watched=watched)}"
        for (who, media), some in groups.items()
    ]


def _heard(some: Sequence[Hearing], media: str, *, missing: str, watched: str) -> str:
    stopped = [each.stopped for each in some if each.stopped and each.at_the_end]
    gone = sum(not each.at_the_end for each in some)
    words: list[str] = []
    if gone:
        what = WORDS_OF_MEDIA[media]
        words.append(f"NO {what.upper()} {missing} for {gone} of {len(some)} ({watched})")
    if stopped:
        words.append(f"stopped for {len(stopped)} of {len(some)}, {_range(stopped)}, and came back")
    if not words:
        pauses = [each.longest for each in some]
        words.append(f"went on for all {len(some)} (longest pause {max(pauses):.1f} s)")
    loss = max(each.loss for each in some)
    # What did not come while all was silent is not loss of packets.
    if loss >= LEAST_LOSS and not (gone or stopped):
        words.append(f"up to {loss:.0%} of the packets lost")
    return "; ".join(words)


def _range(seconds: Sequence[float]) -> str:
    """`1.9-2.3 s`, or one figure where all are nearly the same."""
    least, most = min(seconds), max(seconds)
    return f"{most:.1f} s" if most - least < 0.1 else f"{least:.1f}-{most:.1f} s"


def render_timeline(result: DrillResult) -> list[str]:
    """Per act a heading, then per participant and component its moments, seconds since the act."""
    lines = []
    for index, act in enumerate(result.drill.acts):
        mine = [each for each in result.moments if each.act == index]
        lines.append(f"{index + 1}. {describe(act.fault)}: {act.where}")
        people = [(who, name) for who, name in result.people if who is not Who.OTHERS]
        names = dict.fromkeys([*(name for _, name in people), *(each.subject for each in mine)])
        for name in names:
            lines.append(f"   {name:<14} {_course(each for each in mine if each.subject == name)}")
    return lines


def _course(moments: Iterable[Moment]) -> str:
    """`terminated 0.2 s · re-invited 1.6 s`; what repeats is counted."""
    found: Sequence[Moment] = tuple(moments)
    if not found:
        return "nothing"
    words: list[str] = []
    for mark in dict.fromkeys(each.mark for each in found):
        times = [each.at for each in found if each.mark is mark]
        more = f" (and {len(times) - 1} more)" if len(times) > 1 else ""
        why = next((f": {each.detail}" for each in found if each.mark is mark), "")
        told = shorten(why, DETAIL, placeholder=" ...") if mark in TOLD else ""
        words.append(f"{mark} {times[0]:.1f} s{more}{told}")
    return " · ".join(words)
