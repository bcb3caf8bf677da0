"""Jicofo's words: log lines as the originals write them, and samples."""

from __future__ import annotations

import pytest

from labctl.core.waiting import NO_PATIENCE
from labctl.drills.jicofo import parse_marks, parse_sample, render_sample
from labctl.drills.model import Mark
from labctl.node.sections import Sections, parse_sections

CLOCK = "2026-11-21 11:31:05.231456\n"
STAMP = "Jicofo 2026-11-21 11:31:05.231 "
BRIDGE = (
    "Bridge[jid=jvbbrewery@internal.auth.meet.lab.internal/jvb1, version=2.3, relayId=null, "
    "region=null, correctedStress=0.00]"
)


@pytest.mark.parametrize(
    ("line", "mark", "subject"),
    [
        (
            "INFO: [41] [type=bridge brewery=jvbbrewery] BaseBrewery.removeInstance#391: Removed "
            "brewery instance: jvbbrewery@internal.auth.meet.lab.internal/jvb1",
            Mark.BRIDGE_LOST,
            "jvb1",
        ),
        (
            "INFO: [41] [type=bridge brewery=jvbbrewery] BaseBrewery.addInstance#379: Added "
            "brewery instance: jvbbrewery@internal.auth.meet.lab.internal/jvb",
            Mark.BRIDGE_ADDED,
            "jvb",
        ),
        (
            f"WARNING: [33] JvbDoctor$HealthCheckTask.doHealthCheck#259: {BRIDGE} health-check "
            "timed out, but will give it another try after: 5000",
            Mark.HEALTH_RETRY,
            "jvb1",
        ),
        (
            f"WARNING: [33] JvbDoctor.timedOut#120: Health check timed out for: {BRIDGE}",
            Mark.HEALTH_FAILED,
            "jvb1",
        ),
        (
            f"SEVERE: [33] JvbDoctor.healthCheckFailed#1: Health check failed for: {BRIDGE}",
            Mark.HEALTH_FAILED,
            "jvb1",
        ),
        (
            "WARNING: [60] [xmpp_connection=v1] XmppProvider$reconnectionListener$1"
            ".reconnectingIn#228: XMPP reconnecting in: 2 seconds.",
            Mark.RECONNECTING,
            "v1",
        ),
        (
            "INFO: [25] [xmpp_connection=client] XmppProvider.setRegistered#141: Registered "
            "(resumed=false). isSmEnabled:true isSmAvailable:true isSmResumptionPossible:true",
            Mark.REGISTERED,
            "client",
        ),
        (
            "WARNING: [1] [room=r1@conference.meet.lab.internal meeting_id=7] JitsiMeetConference"
            "Impl.registrationChanged#1: Reconnected without resuming, give up and stop.",
            Mark.ENDED,
            "r1",
        ),
    ],
    ids=["gone", "back", "retry", "timed-out", "failed", "reconnecting", "registered", "ended"],
)
def test_lines_of_the_log_become_marks(line: str, mark: Mark, subject: str) -> None:
    found, *more = parse_marks(STAMP + line + "\n")
    assert [each[1] for each in more] == ([Mark.GAVE_UP] if mark is Mark.ENDED else [])
    assert found[1:3] == (mark, subject)
    assert found[0].microsecond == 231000


def test_a_call_that_everybody_left_ended_without_being_given_up() -> None:
    line = "INFO: [44] [room=r1@c.x meeting_id=7] Jitsi.maybeStop#1135: Last member left, stopping."
    assert [each[1] for each in parse_marks(STAMP + line)] == [Mark.ENDED]


def test_other_lines_are_nothing() -> None:
    assert not [*parse_marks("at java.lang.Thread.run\n" + STAMP + "INFO: [1] Main: Hello\n")]


def test_a_sample_is_clock_size_figures_and_new_lines() -> None:
    stats = '{"bridge_selector": {"operational_bridge_count": 2}}'
    said = {"clock": CLOCK, "size": "1234\n", "stats": stats, "log": "line 1\nline 2\n"}
    sample = parse_sample(Sections(said))
    assert sample.size == 1234
    assert sample.operational == 2
    assert sample.text == "line 1\nline 2\n"


@pytest.mark.parametrize("stats", ["", "not json", "{}"], ids=["silent", "garbage", "empty"])
def test_a_jicofo_that_does_not_answer_has_no_figures(stats: str) -> None:
    said = {"clock": CLOCK, "size": "0\n", "stats": stats, "log": ""}
    assert parse_sample(Sections(said)).operational is None


def test_a_sample_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError):
        parse_sample(parse_sections("bash: date: not found"))


def test_known_bytes_of_the_log_are_not_sent_again() -> None:
    assert "tail -c +$(( 500 + 1 ))" in render_sample(offset=500, patience=NO_PATIENCE).text


def test_a_request_to_a_bridge_that_timed_out_is_a_mark() -> None:
    line = (
        "Jicofo 2026-11-28 23:01:20.551 SEVERE: [45] [room=drill-1@conference.x meeting_id=6] "
        "ColibriV2SessionManager.doAllocate#641: Failed to allocate a colibri2 endpoint for 87: "
        "Timeout\n"
    )
    [(_, mark, subject, _)] = parse_marks(line)
    assert (mark, subject) == (Mark.NO_ALLOCATION, "drill-1")
