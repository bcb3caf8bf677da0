"""What people of a conference have read."""

from __future__ import annotations

from acceptance import jicofo
from labctl.core.waiting import Patience
from labctl.crowd import Event, Kind
from labctl.crowd.sync import SyncParticipant

CHAT_SECONDS = 10
NEARBY = 0.02
"""Seconds between looks at what this process has already read."""


def messages(who: SyncParticipant) -> list[Event]:
    """Every message that somebody got, oldest first."""
    return [event for event in who.view().events if event.kind is Kind.MESSAGE]


def has_heard(who: SyncParticipant, words: str) -> bool:
    return any(event.details["body"] == words for event in messages(who))


def hears(who: SyncParticipant, words: str, patience: Patience, *, seconds: float) -> bool:
    """Whether these words come to somebody within so many seconds."""
    return jicofo.wait_value(
        lambda: has_heard(who, words), True, seconds=seconds, patience=patience, interval=NEARBY
    )


def heard(who: SyncParticipant, words: str, patience: Patience) -> Event:
    """The message with these words, once it has come."""
    came = hears(who, words, patience, seconds=CHAT_SECONDS)
    assert came, f"'{words}' did not come, but {[e.details['body'] for e in messages(who)]}"
    return next(event for event in messages(who) if event.details["body"] == words)
