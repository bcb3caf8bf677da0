"""Verdicts, from timelines as they were recorded with the originals (and from others)."""

from __future__ import annotations

import pytest

from labctl.core.waiting import NO_PATIENCE
from labctl.drills import Drill, DrillVerdict, want_drills
from labctl.drills.findings import Moment
from labctl.drills.judge import is_settled, judge_drill, judge_one, verdict_of
from labctl.drills.model import Expectation, Mark, Who

PEOPLE = ("p1", "p2", "p3")
Timeline = list[tuple[float, str, Mark]]


def moments_of(timeline: Timeline, *, act: int = 0) -> list[Moment]:
    parts = {"p": Who.CALL, "o": Who.OTHERS, "n": Who.NEWCOMERS}
    return [
        Moment(act, at, parts.get(name[0], Who.JICOFO), name, mark) for at, name, mark in timeline
    ]


def everybody(mark: Mark, at: float) -> Timeline:
    return [(at, name, mark) for name in PEOPLE]


def verdict(drill: Drill, *acts: Timeline) -> DrillVerdict:
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
    return verdict_of(judge_drill(drill, moments, subjects=subjects, patience=NO_PATIENCE))


def named(name: str) -> Drill:
    return want_drills((name,))[0]


MUTE = everybody(Mark.SOUND_STOPPED, 0.1)
FORGOTTEN = [(4.5, "jvb1", Mark.JOINED), *MUTE]
HEARD = [*FORGOTTEN, *everybody(Mark.SOUND_BACK, 9.0)]
LATE = [*MUTE, *everybody(Mark.TERMINATED, 16.2), (16.2, "jvb1", Mark.BRIDGE_LOST),
        (21.1, "jvb1", Mark.JOINED), (21.2, "jvb1", Mark.BRIDGE_ADDED),
        *everybody(Mark.REINVITED, 27.6),
        *everybody(Mark.SOUND_BACK, 28.5)]  # fmt: skip
KILL = [
    (16.2, "jvb1", Mark.BRIDGE_LOST),
    *everybody(Mark.TERMINATED, 16.3),
    *everybody(Mark.REINVITED, 17.8),
]
SLOW = [*KILL[:-3], *everybody(Mark.REINVITED, 26.5)]
HANG = [(20.0, "jvb1", Mark.HEALTH_RETRY), (40.0, "jvb1", Mark.HEALTH_FAILED),
        (40.4, "jicofo", Mark.FEWER), *MUTE, (46.2, "n00", Mark.NEWCOMER_IN)]  # fmt: skip
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
        ("bridge-stop", (STOP, BACK), DrillVerdict.EXPECTED),
        ("bridge-stop", (STOP[:-2], BACK), DrillVerdict.WORSE),
        ("bridge-stop", ([*STOP, (3.0, "p2", Mark.LOST)], BACK), DrillVerdict.WORSE),
        ("bridge-stop", (STOP, [(60.0, "jvb1", Mark.BRIDGE_ADDED)]), DrillVerdict.WORSE),
        ("bridge-kill", (KILL,), DrillVerdict.EXPECTED),
        ("bridge-kill", (STOP,), DrillVerdict.BETTER),
        ("bridge-kill", (KILL[:4],), DrillVerdict.WORSE),
        ("bridge-kill", (SLOW,), DrillVerdict.WORSE),
        ("bridge-kill", (KILL[1:],), DrillVerdict.WORSE),
        ("bridge-kill", ([],), DrillVerdict.WORSE),
        ("bridge-kill-restart", (FORGOTTEN,), DrillVerdict.EXPECTED),
        ("bridge-kill-restart", (LATE,), DrillVerdict.EXPECTED),
        ("bridge-kill-restart", ([*LATE[:-3], (28.5, "p1", Mark.SOUND_BACK)],), DrillVerdict.WORSE),
        ("bridge-kill-restart", (HEARD,), DrillVerdict.BETTER),
        ("bridge-kill-restart", (MUTE,), DrillVerdict.WORSE),
        ("bridge-kill-restart", (STOP,), DrillVerdict.BETTER),
        ("bridge-kill-restart", ([(3.0, "p1", Mark.LOST)],), DrillVerdict.WORSE),
        ("bridge-hang", (HANG, RESUMED), DrillVerdict.EXPECTED),
        ("bridge-hang", ([*HANG, *everybody(Mark.REINVITED, 42.0)], RESUMED), DrillVerdict.BETTER),
        ("bridge-hang", (HANG[:1], RESUMED), DrillVerdict.WORSE),
        ("bridge-hang", (HANG, []), DrillVerdict.WORSE),
        ("bridge-hang", (HANG[:-1], RESUMED), DrillVerdict.WORSE),
        ("prosody-restart-in-use", (RESTART,), DrillVerdict.EXPECTED),
        ("prosody-restart-in-use", (SOON,), DrillVerdict.BETTER),
        ("prosody-restart-in-use", (RESTART[:-1],), DrillVerdict.WORSE),
        ("prosody-restart-in-use", (CHANCE,), DrillVerdict.EXPECTED),
    ],
    ids=[
        "stop", "stop-one-not-moved", "stop-one-lost", "stop-bridge-late",
        "kill", "kill-noticed-at-once", "kill-nobody-moved", "kill-moved-late",
        "kill-never-lost", "kill-nothing-at-all",
        "kill-restart", "kill-restart-late", "kill-restart-one-stays-mute",
        "kill-restart-sound-comes-back", "kill-restart-never-joined",
        "kill-restart-healed", "kill-restart-lost",
        "hang", "hang-call-moved", "hang-no-second-check", "hang-not-back", "hang-no-new-call",
        "prosody", "prosody-quick", "prosody-bridge-missing",
        "prosody-closed-jicofo-last",
    ],
)  # fmt: skip
def test_a_timeline_has_its_verdict(
    name: str, acts: tuple[Timeline, ...], expected: DrillVerdict
) -> None:
    assert verdict(named(name), *acts) is expected


def test_for_whom_nothing_stopped_nothing_comes_back() -> None:
    drill, jvb1 = named("bridge-stop"), {(0, Who.HIT): ("jvb1",), (0, Who.CALL): PEOPLE}
    subjects = jvb1 | {(0, Who.VIEWERS): ("p1", "p2")}
    heard = [*STOP, *everybody(Mark.SOUND_STOPPED, 0.1), *everybody(Mark.SOUND_BACK, 1.7)]
    seen = [*heard, (0.5, "p2", Mark.PICTURE_STOPPED), (1.6, "p2", Mark.PICTURE_BACK)]
    both = [*heard, *((0.5, name, Mark.PICTURE_STOPPED) for name in ("p1", "p2")),
            (1.6, "p2", Mark.PICTURE_BACK)]  # fmt: skip
    verdicts = []
    for timeline in (seen, both):
        moments = moments_of(timeline)
        found = judge_drill(drill, moments, subjects=subjects, patience=NO_PATIENCE)
        (picture,) = (one for one in found if one.act == 0 and "picture" in one.says)
        settled = is_settled(0, drill.acts[0], moments, subjects=subjects)
        verdicts.append((picture.verdict, settled is not None))
    assert verdicts == [(DrillVerdict.EXPECTED, True), (DrillVerdict.WORSE, False)]


def test_an_expectation_about_nobody_is_worse_unless_it_is_a_never() -> None:
    drill = named("bridge-stop")
    findings = judge_drill(drill, [], subjects={}, patience=NO_PATIENCE)
    by_words = {each.says: each.verdict for each in findings}
    assert by_words["nobody's stream ends"] is DrillVerdict.EXPECTED
    assert verdict_of(findings) is DrillVerdict.WORSE


def test_watching_goes_on_until_everything_expected_was_seen() -> None:
    drill = named("bridge-kill")
    subjects = {(0, Who.CALL): PEOPLE, (0, Who.HIT): ("jvb1",)}
    assert is_settled(0, drill.acts[0], moments_of(KILL[:-1]), subjects=subjects) is None
    settled = is_settled(0, drill.acts[0], moments_of(KILL), subjects=subjects)
    assert settled == pytest.approx(17.8)


def test_what_was_before_its_cause_has_another_one() -> None:
    """A call that was invited before the bridge joined is not restarted by the bridge."""
    one = Expectation("x", Who.CALL, Mark.REINVITED, within=5.0, cause=Mark.BRIDGE_ADDED)
    early = everybody(Mark.REINVITED, 1.0)
    joined = [(6.0, "jvb1", Mark.BRIDGE_ADDED)]

    def judged(*parts: Timeline) -> DrillVerdict:
        moments = moments_of([moment for part in parts for moment in part])
        return judge_one(
            0, one, moments, subjects=PEOPLE, patience=NO_PATIENCE, hit=("jvb1",)
        ).verdict

    assert judged(early, joined) is DrillVerdict.WORSE
    assert judged(early, joined, everybody(Mark.REINVITED, 10.0)) is DrillVerdict.EXPECTED
    assert judged(joined, everybody(Mark.REINVITED, 5.98)) is DrillVerdict.EXPECTED
    assert judged(joined, everybody(Mark.REINVITED, 11.5)) is DrillVerdict.WORSE


def test_watching_goes_on_until_a_cause_was_seen() -> None:
    act = named("bridge-last").acts[-1]
    subjects = {(0, Who.CALL): PEOPLE, (0, Who.HIT): ("jvb1",)}
    early = [*everybody(Mark.REINVITED, 1.0), *everybody(Mark.SOUND_BACK, 1.5)]
    assert is_settled(0, act, moments_of(early), subjects=subjects) is None


def test_a_race_before_earliest_does_not_count_for_never() -> None:
    """Bridges stop one after another: a call may be invited to one that stops just then."""
    drill = named("failover")
    stops = [*everybody(Mark.TERMINATED, 0.2), (0.5, "jicofo", Mark.NONE_LEFT)]
    stops += [(12.0, "n10", Mark.NEWCOMER_OUT)]
    first = [*everybody(Mark.TERMINATED, 0.2), *everybody(Mark.REINVITED, 1.6)]
    first += [(3.0, "n00", Mark.NEWCOMER_IN)]
    last = [*BACK, *everybody(Mark.REINVITED, 4.1), *everybody(Mark.SOUND_BACK, 4.8)]
    assert verdict(drill, first, stops, last) is DrillVerdict.EXPECTED
    race = [*stops, *everybody(Mark.REINVITED, 1.0)]
    assert verdict(drill, first, race, last) is DrillVerdict.EXPECTED
    late = [*stops, *everybody(Mark.REINVITED, 5.0)]
    assert verdict(drill, first, late, last) is DrillVerdict.WORSE


def test_a_restart_counts_from_the_bridges_join_and_not_from_the_units_start() -> None:
    """On a busy machine Java takes 9 s to the brewery; what Jicofo does then it does at once."""
    drill = named("bridge-last")
    cut = [*everybody(Mark.TERMINATED, 0.2), (0.5, "jicofo", Mark.NONE_LEFT)]
    joined = [(14.0, "jvb1", Mark.BRIDGE_ADDED)]
    soon = [*joined, *everybody(Mark.REINVITED, 16.0), *everybody(Mark.SOUND_BACK, 17.0)]
    late = [*joined, *everybody(Mark.REINVITED, 20.0), *everybody(Mark.SOUND_BACK, 21.0)]
    assert verdict(drill, [], cut, soon) is DrillVerdict.EXPECTED
    assert verdict(drill, [], cut, late) is DrillVerdict.WORSE
    assert verdict(drill, [], cut, soon[1:]) is DrillVerdict.WORSE, "no bridge joined"


def test_a_step_is_watched_for_as_long_as_a_late_cause_needs() -> None:
    [*_, start] = named("bridge-last").acts
    assert start.longest(NO_PATIENCE) >= 20.0 + 12.0


OLD = {"jicofo": "1.0-1173-1", "jitsi-videobridge2": "2.3-277-g6708140e0-1"}
NEW = {"jicofo": "1.0-1196-1", "jitsi-videobridge2": "2.3-312-ga29d97d13-1"}
STAND_IN = {"jicofo": "0~standin9", "jitsi-videobridge2": "0~standin9"}


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (OLD, DrillVerdict.EXPECTED),
        (NEW, DrillVerdict.WORSE),
        (STAND_IN, DrillVerdict.WORSE),
        ({}, DrillVerdict.WORSE),
    ],
    ids=["older", "newest", "stand-in", "unknown"],
)
def test_each_version_is_judged_by_what_it_should_do(
    installed: dict[str, str], expected: DrillVerdict
) -> None:
    """An older Jicofo that never comes back to its brewery is as weak as it is known to be."""
    drill = named("prosody-restart-in-use")
    moments = moments_of([*everybody(Mark.LOST, 0.3), (4.0, "room", Mark.ENDED)])
    subjects = {
        (0, Who.CALL): PEOPLE,
        (0, Who.BRIDGES): ("jvb", "jvb1"),
        (0, Who.JICOFO): ("jicofo",),
    }
    found = judge_drill(
        drill, moments, subjects=subjects, patience=NO_PATIENCE, installed=installed
    )
    assert verdict_of(found) is expected


def test_bridges_are_due_from_jicofos_own_start_on() -> None:
    """Java took 50 s at a load of 18; what Jicofo does then it does at once."""
    drill = named("jicofo-restart")
    slow = [(50.0, "client", Mark.REGISTERED), (58.0, "jvb", Mark.BRIDGE_ADDED),
            (59.0, "jvb1", Mark.BRIDGE_ADDED), (70.0, "n00", Mark.NEWCOMER_IN)]  # fmt: skip
    assert verdict(drill, slow) is DrillVerdict.EXPECTED
    assert verdict(drill, slow[1:]) is DrillVerdict.WORSE
    assert verdict(drill, [*slow[:2], (90.0, "jvb1", Mark.BRIDGE_ADDED), slow[3]]) is (
        DrillVerdict.WORSE
    )


def test_a_bridge_that_joins_before_it_can_answer_is_the_machines_doing() -> None:
    """Its Java had no processor: Jicofo's first request timed out, and it never tries again."""
    drill = named("bridge-last")
    cut = [*everybody(Mark.TERMINATED, 0.2), (0.5, "jicofo", Mark.NONE_LEFT)]
    joined = [(17.9, "jvb1", Mark.BRIDGE_ADDED)]
    assert verdict(drill, [], cut, joined) is DrillVerdict.WORSE
    late = [*joined, (33.0, "jicofo", Mark.NO_ALLOCATION)]
    assert verdict(drill, [], cut, late) is DrillVerdict.EXPECTED
    [*_, start] = drill.acts
    assert start.longest(NO_PATIENCE) > 33.0 + 2.0, "it is watched until Jicofo says so"
