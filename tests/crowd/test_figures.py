"""Figures of crowds that were written down here."""

from __future__ import annotations

import json

import pytest

from labctl.core.state import StateError
from labctl.crowd import Event, Kind
from labctl.crowd.figures import Figures, History, explain, summarise
from labctl.crowd.media.figures import KindFigures, MediaFigures
from labctl.crowd.record import CrowdRecord
from labctl.crowd.spread import Spread, percentile


def history(*events: Event, state: str = "joined", invited: bool = True) -> History:
    return History("ab12", 10.0, state, invited, events)


def at(kind: Kind, seconds: float, **details: str) -> Event:
    return Event(kind, 10.0 + seconds, details)


GOOD = (
    at(Kind.CONNECTED, 0.1),
    at(Kind.AUTHENTICATED, 0.3),
    at(Kind.ANSWERED, 0.6),
    at(Kind.JOINED, 1.0),
    at(Kind.INVITED, 1.5),
)
VISITOR = (
    *GOOD[:3],
    at(Kind.REDIRECTED, 0.6, vnode="v2"),
    at(Kind.CONNECTED, 0.7),
    at(Kind.AUTHENTICATED, 0.8),
    *GOOD[3:],
)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        pytest.param([7.0], 95, 7.0, id="one value"),
        pytest.param([1.0, 2.0], 50, 1.0, id="half of two"),
        pytest.param([float(n) for n in range(1, 101)], 95, 95.0, id="95 of a hundred"),
        pytest.param([float(n) for n in range(1, 21)], 95, 19.0, id="95 % of twenty"),
        pytest.param([1.0, 2.0, 3.0], 100, 3.0, id="the last"),
        pytest.param([1.0, 2.0, 3.0], 0, 1.0, id="the first"),
    ],
)
def test_percentile(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


def test_no_spread_of_nothing() -> None:
    assert Spread.of([]) is None


def test_phases_of_a_visitor_count_its_second_login_to_the_join() -> None:
    figures = summarise([history(*VISITOR)], asked=1)
    medians = {name: round(spread.p50, 6) for name, spread in figures.phases.items()}
    assert medians == {
        "connect": 0.1, "auth": 0.2, "conference": 0.3, "join": 0.4, "invite": 0.5, "all": 1.5,
    }  # fmt: skip
    assert figures.redirected == {"v2": 1}
    assert figures.well


def test_a_phase_that_nobody_reached_is_left_out() -> None:
    lost = at(Kind.LOST, 0.4, reason="the connection was cut")
    figures = summarise([history(*GOOD[:2], lost, state="lost", invited=False)], asked=1)
    assert set(figures.phases) == {"connect", "auth"}
    assert figures.lost == {"the connection was cut": 1}
    assert (figures.joined, figures.well) == (0, False)


@pytest.mark.parametrize(
    ("crowd", "asked"),
    [
        pytest.param([history(*GOOD)], 2, id="somebody never began"),
        pytest.param([history(*GOOD[:4], invited=False)], 1, id="not invited"),
        pytest.param(
            [history(*GOOD, at(Kind.TERMINATED, 2), invited=False)], 1, id="not invited again"
        ),
        pytest.param(
            [history(*GOOD, at(Kind.LOST, 2, reason="x"), state="lost", invited=False)],
            1,
            id="lost after all went well",
        ),
        pytest.param(
            [history(*GOOD, at(Kind.REMOVED, 2, reason="kicked"), state="removed")], 1, id="removed"
        ),
    ],
)
def test_not_well(crowd: list[History], asked: int) -> None:
    assert not summarise(crowd, asked=asked).well


def test_a_termination_that_was_healed_is_well() -> None:
    healed = history(*GOOD, at(Kind.TERMINATED, 2), at(Kind.REINVITED, 3))
    figures = summarise([healed], asked=1)
    assert (figures.terminated, figures.reinvited, figures.well) == (1, 1, True)


def test_reasons_are_counted_without_names() -> None:
    reasons = [
        "Participant 'ab12' did not join 'r' within 30 s: it waited for x; last seen: connected",
        "no TCP connection",
    ]
    assert [explain(reason, nick="ab12") for reason in reasons] == [
        "did not join 'r' within 30 s: it waited for x",
        "no TCP connection",
    ]
    assert explain("", nick="ab12") == "no reason given"


def test_json_has_all_that_the_table_has() -> None:
    figures = summarise([history(*VISITOR)], asked=3)
    record = CrowdRecord(lab="demo", room="r", participants=1, rate=10.0, figures=figures)
    told = json.loads(json.dumps(record.to_json()))
    assert CrowdRecord.from_json(told).to_json() == record.to_json()
    assert list(told)[:4] == ["format", "lab", "room", "interrupted"]
    assert (told["asked"], told["in_call"], told["well"]) == (3, 1, False)
    assert told["redirected"] == {"v2": 1}
    assert told["phases"]["all"] == {"count": 1, "p50": 1.5, "p95": 1.5, "max": 1.5}


def test_a_record_of_a_newer_labctl_is_named() -> None:
    with pytest.raises(StateError, match=r"^'crowd' cannot be read: a newer labctl"):
        CrowdRecord.from_json({"format": 99})


def test_media_come_back_from_plain_data() -> None:
    spread = Spread(2, 0.001, 0.002, 0.003)
    sound = KindFigures(2, 2, 100, 8000, 1, 0, jitter=spread, gap=None)
    media = MediaFigures(2, 2, 2, 3, {"jvb1": 2}, {"no answer": 1}, {"audio": sound})
    record = CrowdRecord(lab="demo", with_media=2, figures=Figures(asked=2, media=media))
    told = json.loads(json.dumps(record.to_json()))
    assert (told["with_media"], told["media"]["audio"]["longest_gap"]) == (2, None)
    assert CrowdRecord.from_json(told) == record
