"""A drill and its outcome as plain data, and as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import shorten
from typing import Any

from labctl.drills.faults import describe
from labctl.drills.judge import NOT_JUDGED
from labctl.drills.model import Drill, DrillResult, Mark, Moment, Verdict, Who

NEWCOMERS = (Mark.NEWCOMER_IN, Mark.NEWCOMER_OUT)
DETAIL = 180
"""Characters of what a newcomer met; JSON has all of them."""

WORDS = {
    Verdict.EXPECTED: "as expected",
    Verdict.BETTER: "BETTER than upstream used to be",
    Verdict.WORSE: "WORSE",
    Verdict.SKIPPED: "skipped",
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


def result_to_json(result: DrillResult) -> dict[str, Any]:
    """Plain data; `at` is seconds since the beginning of the act that a moment belongs to."""
    return {
        **drill_to_json(result.drill),
        "verdict": str(result.verdict),
        "reason": result.reason,
        "budget_seconds": result.drill.budget * result.patience,
        "patience": result.patience,
        "began": round(result.began, 3),
        "seconds": round(result.seconds, 2),
        "hit": list(result.hit),
        "stand_ins": list(result.stand_ins),
        "acts": [
            {"fault": describe(act.fault), "where": str(act.where)} for act in result.drill.acts
        ],
        "findings": [
            {
                "act": each.act,
                "says": each.says,
                "verdict": str(each.verdict),
                "seen": each.seen,
            }
            for each in result.findings
        ],
        "people": [{"part": str(who), "name": name} for who, name in result.people],
        "timeline": [
            {
                "act": each.act,
                "at": round(each.at, 3),
                "part": str(each.who),
                "subject": each.subject,
                "mark": str(each.mark),
                "detail": each.detail,
            }
            for each in result.moments
        ],
        "healthy_after": None if result.healthy_after is None else round(result.healthy_after, 2),
        "repaired": result.repaired,
        "left": result.left,
    }


def render_drill(drill: Drill) -> str:
    """One drill for the list: a line, and a second one for its weakness."""
    weak = f"\n{'':24}weak today: {drill.weakness}" if drill.weakness else ""
    return f"{drill.name:<23} {drill.title} ({drill.budget:.0f} s){weak}"


def render_result(result: DrillResult) -> str:
    """The verdict in one line, then what was expected and seen, then the timeline."""
    drill = result.drill
    lines = [f"{drill.name}: {WORDS[result.verdict]}" + _tail(result)]
    if result.verdict is Verdict.SKIPPED:
        return lines[0]
    lines += [
        f"  {'ok' if each.verdict is Verdict.EXPECTED else WORDS[each.verdict]:<6} "
        f"{each.says}: {each.seen}"
        for each in result.findings
    ]
    lines += [f"  | {line}" for line in render_timeline(result)]
    if drill.weakness and result.verdict is Verdict.EXPECTED:
        shown = not any(each.seen.startswith(NOT_JUDGED) for each in result.findings)
        chance = "" if shown else " (it did not show this time)"
        lines.append(f"  Upstream's weakness{chance}: {drill.weakness}")
    if drill.weakness and result.verdict is Verdict.BETTER:
        lines.append(f"  Upstream used to be weak here: {drill.weakness}")
    if result.repaired:
        lines.append(f"  Repaired afterwards: {result.repaired}.")
    if result.left:
        lines.append(f"  LEFT BROKEN: {result.left}")
    return "\n".join(lines)


def _tail(result: DrillResult) -> str:
    if result.verdict is Verdict.SKIPPED:
        return f": {result.reason}"
    why = f": {result.reason}" if result.reason else ""
    health = "" if result.healthy_after is None else f", healthy {result.healthy_after:.1f} s later"
    slow = f", every bound times {result.patience:g}" if result.patience > 1 else ""
    return f" ({result.seconds:.0f} s{health}{slow}){why}"


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
        told = shorten(why, DETAIL, placeholder=" ...") if mark in NEWCOMERS else ""
        words.append(f"{mark} {times[0]:.1f} s{more}{told}")
    return " · ".join(words)
