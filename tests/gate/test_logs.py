"""Templates: two runs of the same program say the same, whatever their numbers and names."""

from __future__ import annotations

import pytest

from labctl.gate.logs import new_templates, parse_logs, template_of

FIRST = """\
##### clock 1795270541.1 +0000 asked 1795270541.1
##### /var/log/jitsi/jicofo.log
Jicofo 2026-11-21 14:14:40.172 WARNING: [25] [xmpp_connection=v1] XmppProvider.d#312: Found 4
Jicofo 2026-11-21 14:14:40.183 WARNING: [26] [xmpp_connection=v2] XmppProvider.d#312: Found 1
Jicofo 2026-11-21 14:14:41.183 SEVERE: [26] Health check failed for: Bridge[jid=jvbbrewery@x/jvb1]
\tat some.Java(Thing.java:1)
Jicofo 2026-11-21 14:14:42.183 INFO: [26] fine
##### /var/log/prosody/prosody.err
Nov 21 14:14:27 conference.meet.lab.internal:muc\terror\troom 7c4f19aa-1b9c-4d43-8d3e-0f4f1fd3b0aa
##### journal
Nov 21 14:14:08.221608 jms systemd[1]: jicofo.service: Failed with result 'exit-code'.
Nov 21 14:14:08.221608 jms systemd[1]: Started jicofo.service.
"""
SECOND = FIRST.replace("[25]", "[31]").replace("#312", "#317").replace("jvb1]", "jvb2]")
SECOND = SECOND.replace(
    "7c4f19aa-1b9c-4d43-8d3e-0f4f1fd3b0aa", "00000000-1b9c-4d43-8d3e-0f4f1fd30000"
)


def test_levels_counts_and_templates() -> None:
    found = {(each.source, each.level): each for each in parse_logs({"jms": FIRST})}
    assert found["jicofo", "warning"].count == 2
    assert found["jicofo", "warning"].template == (
        "[<n>] [xmpp_connection=v<n>] XmppProvider.d#<n>: Found <n>"
    )
    assert found["jicofo", "error"].template == "[<n>] Health check failed for: Bridge[jid=<jid>]"
    assert ("systemd", "error") in found
    assert ("prosody", "error") in found
    assert len(found) == 4


def test_another_run_of_the_same_says_nothing_new() -> None:
    first, second = parse_logs({"jms": FIRST}), parse_logs({"jms": SECOND})
    assert new_templates(second, first) == []


def test_new_error_is_found() -> None:
    more = FIRST.replace("INFO: [26] fine", "SEVERE: [26] NullPointerException")
    (found,) = new_templates(parse_logs({"jms": more}), parse_logs({"jms": FIRST}))
    assert (found.level, found.sample) == ("error", "[26] NullPointerException")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("meeting_id=abc12345 ended", "meeting_id=f00ba412 ended"),
        ("from 10.77.14.105:53412", "from 192.168.56.105:40000"),
        ("room labctl-ready-0a1b is gone", "room labctl-ready-ffff is gone"),
        ("took 12.5 ms", "took 900 ms"),
        ("object 0x7f3a", "object 0x1234"),
    ],
    ids=["id", "address", "room", "number", "pointer"],
)
def test_what_differs_between_runs_does_not_count(one: str, other: str) -> None:
    assert template_of(one) == template_of(other)


def test_words_count() -> None:
    assert template_of("bridge joined") != template_of("bridge left")
