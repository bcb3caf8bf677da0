"""Verdicts, from timelines as they were recorded with the originals (and from others)."""

from __future__ import annotations

import pytest

from labctl.drills import Drill, Verdict, want_drills
from labctl.drills.judge import is_settled, judge, verdict_of
from labctl.drills.model import Mark, Moment, Who

PEOPLE = ("p1", "p2", "p3")
Timeline = list[tuple[float, str, Mark]]


def moments_of(timeline: Timeline, *, act: int = 0) -> list[Moment]:
    parts = {"p": Who.CALL, "o": Who.OTHERS, "n": Who.NEWCOMERS}
    return [
        Moment(act, at, parts.get(name[0], Who.JICOFO), name, mark) for at, name, mark in timeline
    ]


def everybody(mark: Mark, at: float) -> Timeline:
    return [(at, name, mark) for name in PEOPLE]


def verdict(drill: Drill, *acts: Timeline) -> Verdict:
    moments = [moment for index, one in enumerate(acts) for moment in moments_of(one, act=index)]
    subjects: dict[tuple[int, Who], tuple[str, ...]] = {}
    for index, act in enumerate(drill.acts):
        tries = tuple(f"n{index}{n}" for n, _ in enumerate(act.tries))
        subjects |= {
            (index, Who.CALL): PEOPLE,
            (index, Who.HIT): ("jvb1",),
            (index, Who.BRIDGES): ("jvb", "jvb1"),
            (index, Who.JICOFO): ("jicofo",),
            (index, Who.NEWCOMERS): tries,
        }
    return verdict_of(judge(drill, moments, subjects=subjects))


def named(name: str) -> Drill:
    return want_drills((name,))[0]


KILL = [*everybody(Mark.TERMINATED, 16.3), *everybody(Mark.REINVITED, 17.8)]
HANG = [(20.0, "jvb1", Mark.HEALTH_RETRY), (40.0, "jvb1", Mark.HEALTH_FAILED),
        (40.4, "jicofo", Mark.FEWER), (46.2, "n00", Mark.NEWCOMER_IN)]  # fmt: skip
RESUMED = [(12.0, "jicofo", Mark.ALL_BACK)]
STOP = [*everybody(Mark.TERMINATED, 0.2), *everybody(Mark.REINVITED, 1.6),
        (0.13, "jvb1", Mark.BRIDGE_LOST)]  # fmt: skip
BACK = [(2.6, "jvb1", Mark.BRIDGE_ADDED)]
RESTART = [*everybody(Mark.LOST, 0.3), (4.0, "room", Mark.ENDED), (4.0, "room", Mark.GAVE_UP),
           (24.0, "jvb", Mark.BRIDGE_ADDED), (24.1, "jvb1", Mark.BRIDGE_ADDED)]  # fmt: skip
CHANCE = [*everybody(Mark.LOST, 0.1), (0.1, "room", Mark.ENDED),
          (2.2, "jvb", Mark.BRIDGE_ADDED), (2.2, "jvb1", Mark.BRIDGE_ADDED)]  # fmt: skip
SOON = [*RESTART[:-2], (3.0, "jvb", Mark.BRIDGE_ADDED), (3.0, "jvb1", Mark.BRIDGE_ADDED)]


@pytest.mark.parametrize(
    ("name", "acts", "expected"),
    [
        ("bridge-stop", (STOP, BACK), Verdict.EXPECTED),
        ("bridge-stop", (STOP[:-2], BACK), Verdict.WORSE),
        ("bridge-stop", ([*STOP, (3.0, "p2", Mark.LOST)], BACK), Verdict.WORSE),
        ("bridge-stop", (STOP, [(60.0, "jvb1", Mark.BRIDGE_ADDED)]), Verdict.WORSE),
        ("bridge-kill", (KILL,), Verdict.EXPECTED),
        ("bridge-kill", (STOP,), Verdict.BETTER),
        ("bridge-kill", (KILL[:3],), Verdict.WORSE),
        ("bridge-kill", ([],), Verdict.WORSE),
        ("bridge-kill-restart", ([(4.5, "jvb1", Mark.BRIDGE_ADDED)],), Verdict.EXPECTED),
        ("bridge-kill-restart", (STOP,), Verdict.BETTER),
        ("bridge-kill-restart", ([(3.0, "p1", Mark.LOST)],), Verdict.WORSE),
        ("bridge-hang", (HANG, RESUMED), Verdict.EXPECTED),
        ("bridge-hang", ([*HANG, *everybody(Mark.REINVITED, 42.0)], RESUMED), Verdict.BETTER),
        ("bridge-hang", (HANG[:1], RESUMED), Verdict.WORSE),
        ("bridge-hang", (HANG, []), Verdict.WORSE),
        ("bridge-hang", (HANG[:-1], RESUMED), Verdict.WORSE),
        ("prosody-restart-in-use", (RESTART,), Verdict.EXPECTED),
        ("prosody-restart-in-use", (SOON,), Verdict.BETTER),
        ("prosody-restart-in-use", (RESTART[:-1],), Verdict.WORSE),
        ("prosody-restart-in-use", (CHANCE,), Verdict.EXPECTED),
    ],
    ids=[
        "stop", "stop-one-not-moved", "stop-one-lost", "stop-bridge-late",
        "kill", "kill-noticed-at-once", "kill-nobody-moved", "kill-nothing-at-all",
        "kill-restart", "kill-restart-healed", "kill-restart-lost",
        "hang", "hang-call-moved", "hang-no-second-check", "hang-not-back", "hang-no-new-call",
        "prosody", "prosody-quick", "prosody-bridge-missing",
        "prosody-closed-jicofo-last",
    ],
)  # fmt: skip
def test_a_timeline_has_its_verdict(
    name: str, acts: tuple[Timeline, ...], expected: Verdict
) -> None:
    assert verdict(named(name), *acts) is expected


def test_an_expectation_about_nobody_is_worse_unless_it_is_a_never() -> None:
    drill = named("bridge-stop")
    findings = judge(drill, [], subjects={})
    by_words = {each.says: each.verdict for each in findings}
    assert by_words["nobody's stream ends"] is Verdict.EXPECTED
    assert verdict_of(findings) is Verdict.WORSE


def test_watching_goes_on_until_everything_expected_was_seen() -> None:
    drill = named("bridge-kill")
    subjects = {(0, Who.CALL): PEOPLE}
    assert is_settled(0, drill.acts[0], moments_of(KILL[:-1]), subjects=subjects) is None
    settled = is_settled(0, drill.acts[0], moments_of(KILL), subjects=subjects)
    assert settled == pytest.approx(17.8)


def test_a_race_before_earliest_does_not_count_for_never() -> None:
    """Bridges stop one after another: a call may be invited to one that stops just then."""
    drill = named("failover")
    stops = [*everybody(Mark.TERMINATED, 0.2), (0.5, "jicofo", Mark.NONE_LEFT)]
    stops += [(12.0, "n10", Mark.NEWCOMER_OUT)]
    first = [*everybody(Mark.TERMINATED, 0.2), *everybody(Mark.REINVITED, 1.6)]
    first += [(3.0, "n00", Mark.NEWCOMER_IN)]
    last = everybody(Mark.REINVITED, 4.1)
    assert verdict(drill, first, stops, last) is Verdict.EXPECTED
    race = [*stops, *everybody(Mark.REINVITED, 1.0)]
    assert verdict(drill, first, race, last) is Verdict.EXPECTED
    late = [*stops, *everybody(Mark.REINVITED, 5.0)]
    assert verdict(drill, first, late, last) is Verdict.WORSE
