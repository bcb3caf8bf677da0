"""How long a call had no sound, over people who join again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from labctl.upgrade.call import Silence, Sound, heard_at


def view(*last: float | None, media: str = "audio") -> Any:
    """What of a participant's media is asked for here."""
    return SimpleNamespace(sources=[SimpleNamespace(media=media, last_at=at) for at in last])


@pytest.mark.parametrize(
    ("views", "heard"),
    [
        ([view(5.0), view(7.0)], 5.0),
        ([view(5.0, 6.0), view(7.0)], 6.0),
        ([view(5.0), view(None)], None),
        ([view(5.0)], None),
        ([view(5.0), view(7.0, media="video")], None),
    ],
    ids=["slower of two", "latest source", "one heard nobody", "one alone", "picture only"],
)
def test_both_have_heard_the_other(views: list[Any], heard: float | None) -> None:
    assert heard_at(views) == heard


def test_silence_is_from_the_last_packet_to_the_next() -> None:
    sound = Sound(10.0)
    for at in (10.2, 10.4, None, 14.4, 14.6):
        sound.note(at)
    assert sound.silences == [Silence(10.4, pytest.approx(4.0))]
    assert sound.lost_since(0.0, now=14.7) == pytest.approx(4.0)


def test_only_what_is_since_then_counts() -> None:
    sound = Sound(10.0)
    sound.note(14.0)
    assert sound.lost_since(12.0, now=14.1) == pytest.approx(2.0)
    assert sound.lost_since(14.05, now=14.1) == 0.0


def test_silence_that_lasts_counts() -> None:
    sound = Sound(10.0)
    assert sound.lost_since(0.0, now=15.0) == pytest.approx(5.0)
    assert sound.lost_since(0.0, now=10.5) == 0.0


def test_short_pauses_of_a_busy_machine_are_no_silence() -> None:
    sound = Sound(10.0)
    sound.note(10.9)
    assert sound.silences == []
