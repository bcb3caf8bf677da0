"""Which lines a failure shows, and which failures are one."""

from __future__ import annotations

import pytest

from labctl.report.excerpt import MARGIN_SECONDS, MOST_LINES, excerpt, words_about
from labctl.report.failures import group_failures
from labctl.report.lines import LogLine
from labctl.report.logs import merge
from labctl.report.model import ReportOutcome
from tests.report.make import LOGS, START, report_of, test_of, topology


def line(at: float, text: str = "calm", level: str = "info", node: str = "jms") -> LogLine:
    return LogLine(at, True, node, "jicofo", level, text)


def test_window_with_its_margins() -> None:
    times = [-MARGIN_SECONDS - 0.1, -MARGIN_SECONDS, 0, 5 + MARGIN_SECONDS, 5.1 + MARGIN_SECONDS]
    found = excerpt([line(at) for at in times], start=0, end=5)
    assert [entry.time for entry in found.lines] == times[1:4]


def test_loud_lines_stay_when_there_are_too_many() -> None:
    entries = [line(i / 1000) for i in range(500)]
    entries[3] = line(0.003, level="error")
    entries[4] = line(0.004, "Lost a bridge: jvb1")
    found = excerpt(entries, start=0, end=1)
    assert len(found.lines) == MOST_LINES
    assert found.left_out == 500 - MOST_LINES
    assert entries[3] in found.lines and entries[4] in found.lines
    assert found.lines[-1] == entries[-1]
    assert list(found.lines) == sorted(found.lines, key=lambda entry: entry.time)


def test_a_rare_line_is_not_lost_among_many_loud_ones() -> None:
    entries = [line(i / 1000, f"reconnecting in {i} s", level="warning") for i in range(200)]
    entries[7] = line(0.007, "calm, and the only one of its kind")
    found = excerpt(entries, start=0, end=1)
    assert entries[7] in found.lines and len(found.lines) == MOST_LINES


def test_what_repeats_stands_once_before() -> None:
    entries = [line(0, "Stopped the bridge")]
    entries += [line(1 + i, f"reconnecting in: {i} seconds") for i in range(50)]
    found = excerpt(entries, start=100, end=101, nodes={"jms"})
    assert [entry.text for entry in found.before] == [
        "Stopped the bridge",
        "reconnecting in: 49 seconds",
    ]


def test_what_the_suite_itself_caused_is_left_out() -> None:
    found = excerpt(merge(LOGS), start=START + 1, end=START + 2)
    assert [entry.source for entry in found.lines] == ["prosody", "systemd", "jicofo"]


def test_cause_long_before() -> None:
    failure = report_of().failures[0]
    assert failure.excerpt is not None
    assert [entry.text for entry in failure.excerpt.before] == [
        "Stopped prosody-v@1.service - Prosody."
    ]


def test_last_warnings_for_a_test_that_names_nothing() -> None:
    entries = [
        line(0, "long ago", level="error"),
        line(1000, "Lost a bridge: jvb2", level="warning"),
        line(1001),
    ]
    found = excerpt(entries, start=1030, end=1031)
    assert [entry.text for entry in found.before] == ["Lost a bridge: jvb2"]


def test_what_other_nodes_say_of_a_node() -> None:
    entries = [
        line(0, "Lost a bridge: jvb1", level="warning"),
        line(1, "Lost a bridge: jvb10", level="warning"),
        line(2, "Stopping the bridge", node="jvb1"),
    ]
    found = excerpt(entries, start=100, end=101, nodes={"jvb1"})
    assert [entry.time for entry in found.before] == [0, 2]
    found = excerpt(entries, start=100, end=101, nodes={"jvb1"}, things={"bridge"})
    assert [entry.time for entry in found.before] == [2]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("visitors1-prosody-v@1", {"visitors1", "prosody-v@1"}),
        ("v1", {"v1"}),
        ("v10 is silent", {"v10"}),
        ("Node 'jvb1' did not answer over ssh: timed out.", {"jvb1"}),
        ("nobody", set()),
    ],
)
def test_what_a_test_is_about(text: str, names: set[str]) -> None:
    known = ["visitors1", "v1", "v10", "jvb1", "jvb10", "prosody-v@1", "prosody"]
    assert words_about(text, names=known) == names


def test_alike_failures_are_one() -> None:
    tests = [
        test_of("test_a[jvb1]", ReportOutcome.FAILED, message="no room accept-1234abcd"),
        test_of("test_a[jvb2]", ReportOutcome.ERROR, message="no room accept-99999999"),
        test_of("test_a[jvb3]", ReportOutcome.FAILED, message="something else"),
        test_of("test_a[jvb4]", ReportOutcome.FAILED, message="assert 1 == 2"),
        test_of("test_b", ReportOutcome.FAILED, message="assert 1 == 2", doc="Users lose b."),
        test_of("test_c", ReportOutcome.FAILED, message="Node 'n' is silent.", doc="Users lose c."),
        test_of("test_d", ReportOutcome.ERROR, message="Node 'n' is silent.", doc="Users lose d."),
    ]
    found = group_failures(tests, entries=(), topology=topology())
    assert [failure.title for failure in found] == [
        "test_a, 2 times",
        "2 tests: Node 'n' is silent.",
        "test_a[jvb3]",
        "test_a[jvb4]",
        "test_b",
    ]
    assert found[1].docs == ("Users lose c.", "Users lose d.")
    assert [failure.excerpt for failure in found] == [None] * 5
