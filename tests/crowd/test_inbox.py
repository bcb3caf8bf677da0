"""What a participant records of messages and requests; no server."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from labctl.core.waiting import NO_PATIENCE
from labctl.crowd import Kind, Options, Target
from labctl.crowd.conference import render_presence
from labctl.crowd.inbox import Inbox
from labctl.crowd.recorder import Recorder
from labctl.crowd.xml import parse_stanza

NOTE = (
    "<message xmlns='jabber:client' from='metadata.m'>"
    "<json-message xmlns='http://jitsi.org/jitmeet'>{&quot;type&quot;: &quot;x&quot;}"
    "</json-message></message>"
)
BOUNCED = (
    "<message xmlns='jabber:client' from='polls.m' type='error'><error type='cancel'>"
    "<not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
)


def recorded(*stanzas: str, notes: bool) -> list[str]:
    """The events that stanzas make, as text."""
    recorder = Recorder("abcd", NO_PATIENCE)
    target = Target(IPv4Address("127.0.0.1"), 443, "m", Path("ca.crt"), lambda address: None)
    inbox = Inbox(target, recorder, Options(notes=notes))
    for stanza in stanzas:
        inbox.take(parse_stanza(stanza))
    return [str(event) for event in recorder.events]


def test_notes_are_recorded_for_those_who_want_them() -> None:
    assert recorded(NOTE, BOUNCED, notes=True) == [
        "note from='metadata.m' text='{\"type\": \"x\"}'",
        "bounced from='polls.m' condition='not-allowed'",
    ]


def test_a_crowd_keeps_no_notes() -> None:
    assert recorded(NOTE, BOUNCED, notes=False) == []


def test_a_mute_is_recorded() -> None:
    mute = "<mute xmlns='http://jitsi.org/jitmeet/video'>true</mute>"
    iq = f"<iq xmlns='jabber:client' type='set' id='1' from='r@m/focus'>{mute}</iq>"
    assert recorded(iq, notes=False) == [f"{Kind.MUTED} media='video'"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param(None, ">abcd</nick>", id="nick"),
        pytest.param('<b>"&', '>&lt;b&gt;"&amp;</nick>', id="markup"),
    ],
)
def test_display_name(name: str | None, expected: str) -> None:
    assert expected in render_presence("r@m/abcd", nick="abcd", sources={}, name=name)


@pytest.mark.parametrize(("hand", "expected"), [(None, 0), (0, 1), (5, 1)])
def test_a_hand_is_raised_or_lowered_but_not_always_there(hand: int | None, expected: int) -> None:
    presence = render_presence("r@m/abcd", nick="abcd", sources={}, hand=hand)
    assert presence.count("<jitsi_participant_raisedHand>") == expected
    assert hand is None or f">{hand}</jitsi_participant_raisedHand>" in presence
