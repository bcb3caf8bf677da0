"""Every program's way of writing the time, and one order for all of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from labctl.report.logs import Clock, merge, parse_clock, parse_line, parse_node, source_of
from tests.report.make import LOGS, START

NOW = Clock(UTC, START + 100)

LINES = {
    "jicofo": (
        "Jicofo 2026-11-21 11:31:05.231 INFO: [41] [type=bridge brewery=jvbbrewery] Added",
        ("2026-11-21 11:31:05.231", True, "info", "[41] [type=bridge brewery=jvbbrewery] Added"),
    ),
    "bridge": (
        "JVB 2026-11-21 14:14:40.169 WARNING: [30] MucClient$2.connected#317: Connected.",
        ("2026-11-21 14:14:40.169", True, "warning", "[30] MucClient$2.connected#317: Connected."),
    ),
    "prosody": (
        "Nov 21 13:15:45 startup\tinfo\tHello\tand welcome",
        ("2026-11-21 13:15:45.000", False, "info", "startup: Hello\tand welcome"),
    ),
    "prosody-one-digit-day": (
        "Nov  1 13:15:45 c2s1\terror\tbad",
        ("2026-11-01 13:15:45.000", False, "error", "c2s1: bad"),
    ),
    "journal": (
        "Nov 21 14:14:08.221608 jms systemd[1]: Started nginx.service.",
        ("2026-11-21 14:14:08.221608", True, "info", "Started nginx.service."),
    ),
    "journal-last-year": (
        "Dec 31 23:59:59.500000 jms systemd[1]: Started nginx.service.",
        ("2025-12-31 23:59:59.500", True, "info", "Started nginx.service."),
    ),
    "access": (
        '10.0.0.1 - - [21/Nov/2026:15:14:41 +0100] "GET /x HTTP/1.1" 502 150 "-" "curl"',
        ("2026-11-21 14:14:41.000", False, "error", '"GET /x HTTP/1.1" 502 150 "-" "curl"'),
    ),
    "access-fine": (
        '10.0.0.1 - - [21/Nov/2026:14:14:41 +0000] "GET /x HTTP/1.1" 101 12784 "-" "-"',
        ("2026-11-21 14:14:41.000", False, "info", '"GET /x HTTP/1.1" 101 12784 "-" "-"'),
    ),
    "nginx": (
        "2026/11/21 14:14:41 [error] 12#12: *1 connect() failed",
        ("2026-11-21 14:14:41.000", False, "error", "12#12: *1 connect() failed"),
    ),
}


@pytest.mark.parametrize(("line", "wanted"), LINES.values(), ids=LINES)
def test_line_of_each_program(line: str, wanted: tuple[str, bool, str, str]) -> None:
    found = parse_line(line, source="x", node="n", clock=NOW)
    assert found is not None
    at = datetime.fromisoformat(wanted[0]).replace(tzinfo=UTC).timestamp()
    assert found.time == pytest.approx(at, abs=1e-5)
    assert (found.exact, found.level, found.text) == wanted[1:]


@pytest.mark.parametrize("line", ["", "  at java.lang.Thread.run", "Xyz 99 11:11:11 a\tinfo\tb"])
def test_line_without_a_time(line: str) -> None:
    """Also one that only looks as if it had one."""
    assert parse_line(line, source="x", node="n", clock=NOW) is None


def test_zone_of_the_node_counts() -> None:
    clock = Clock(timezone(timedelta(hours=2)), START + 100)
    found = parse_line("Nov 21 16:18:00 a\tinfo\tb", source="x", node="n", clock=clock)
    assert found is not None and found.time == START


def test_leap_day_is_known_in_the_year_after() -> None:
    now = datetime(2029, 1, 5, tzinfo=UTC).timestamp()
    found = parse_line("Feb 29 10:00:00 a\tinfo\tb", source="x", node="n", clock=Clock(UTC, now))
    assert found is not None
    assert datetime.fromtimestamp(found.time, UTC) == datetime(2028, 2, 29, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("title", "offset"),
    [
        ("clock 1000.500000000 +0000 asked 1000.000", 0.0),
        ("clock 1600.500000000 +0000 asked 1000.000", 600.5),
        ("clock 400.000000000 -0130 asked 1000.000", -600.0),
    ],
    ids=["right", "ahead", "behind"],
)
def test_clock_that_is_wrong(title: str, offset: float) -> None:
    clock = parse_clock(title)
    assert clock is not None and clock.offset == pytest.approx(offset)


def test_clock_that_is_wrong_is_set_right() -> None:
    text = LOGS["visitors1"].replace("clock 1795270700", "clock 1795271300")
    right, wrong = (parse_node(t, node="v") for t in (LOGS["visitors1"], text))
    assert [b.time - a.time for a, b in zip(right, wrong, strict=True)] == pytest.approx(
        [-600.1] * len(right), abs=0.01
    )


def test_other_sections_are_no_logs() -> None:
    assert {entry.source for entry in parse_node(LOGS["jms"], node="jms")} == {"jicofo", "prosody"}


def test_stack_trace_stays_with_its_line() -> None:
    entry = parse_node(LOGS["jms"], node="jms")[0]
    assert entry.text.endswith("<b>&\n  at some.Where")


def test_prosody_says_an_error_once() -> None:
    entries = parse_node(LOGS["jms"], node="jms")
    assert [e.text for e in entries if e.source == "prosody"] == ["mod_s2s: no answer"]


def test_one_order_for_all_nodes() -> None:
    merged = merge(LOGS)
    assert [entry.source for entry in merged] == ["systemd", "prosody", "systemd", "sudo", "jicofo"]
    assert [entry.time for entry in merged] == sorted(entry.time for entry in merged)


def test_node_that_did_not_answer() -> None:
    assert merge({"jvb1": "Node 'jvb1' cannot be reached by ssh: no answer.\n"}) == []


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("/var/log/jitsi/jicofo.log", "jicofo"),
        ("/var/log/jitsi/jvb.log", "jvb"),
        ("/var/log/prosody-v1/prosody.err", "prosody-v1"),
        ("/var/log/nginx/access.log", "nginx"),
    ],
)
def test_source(title: str, name: str) -> None:
    assert source_of(title) == name
