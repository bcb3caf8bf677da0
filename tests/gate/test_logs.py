"""Templates: two runs of the same program say the same, whatever their numbers and names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.drills.knownlines import KnownLine
from labctl.gate import logs
from labctl.gate.logs import (
    count_templates,
    cut_sample,
    kind_of,
    level_of,
    more_templates,
    new_templates,
    parse_logs,
)
from labctl.gate.model import LogTemplate
from labctl.report.lines import LogLine
from tests.gate.sides import template

FIRST = """\
=== labctl: clock 1795270541.1 +0000 asked 1795270541.1
=== labctl: /var/log/jitsi/jicofo.log
Jicofo 2026-11-21 14:14:40.172 WARNING: [25] [xmpp_connection=v1] XmppProvider.d#312: Found 4
Jicofo 2026-11-21 14:14:40.183 WARNING: [26] [xmpp_connection=v2] XmppProvider.d#312: Found 1
Jicofo 2026-11-21 14:14:41.183 SEVERE: [26] Health check failed for: Bridge[jid=jvbbrewery@x/jvb1]
\tat some.Java(Thing.java:1)
Jicofo 2026-11-21 14:14:42.183 INFO: [26] fine
=== labctl: /var/log/prosody/prosody.err
Nov 21 14:14:27 conference.meet.lab.internal:muc\terror\troom 7c4f19aa-1b9c-4d43-8d3e-0f4f1fd3b0aa
=== labctl: journal
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
    assert found["jicofo", "warning"].template == ("XmppProvider.d: Found <n>")
    assert found["jicofo", "error"].template == "Health check failed for: Bridge<...>"
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


def template_of(text: str, *, source: str = "") -> str:
    return str(kind_of(text, source=source))


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


def test_digits_in_names_stay() -> None:
    found = template_of("meet.x:s2s_whitelist: Not sending to 7 hosts", source="prosody")
    assert found == "meet.x:s2s_whitelist: Not sending to <n> hosts"
    assert template_of("jitsi-videobridge2.service: Stopped") == (
        "jitsi-videobridge<n>.service: Stopped"
    )
    assert template_of("it took 12ms, 3x") == "it took <n>ms, <n>x"


def test_words_count() -> None:
    assert template_of("bridge joined") != template_of("bridge left")


RECORDED = Path(__file__).with_name("recorded.log").read_text()
"""Lines of Jicofo 1.0-1196 and of the bridge 2.3-312 in a lab on a machine that was very busy."""

REASONS = {
    ("jicofo", "Prosody's host keeps no roster"): (2, False),
    ("jicofo", "Jicofo is in a room on a vnode"): (4, False),
    ("jicofo", "says which components"): (3, False),
    ("jicofo", "somebody left, or the room ended"): (11, False),
    ("jicofo", "a bridge was stopped, hung or began anew"): (6, False),
    ("jicofo", "a bridge was stopped: drills"): (1, False),
    ("jvb", "the machine was busy"): (7, True),
    ("jvb", "the machine was busy, and a probe"): (3, True),
    ("jvb", "newer packages have a Jetty"): (1, False),
    ("jvb", "Jersey says at each start"): (3, False),
    ("jvb", "Jersey's description of REST services"): (1, False),
    ("jvb", "the bridge started before Prosody answered, or"): (5, False),
    ("jvb", "a call ended or the bridge was stopped"): (9, False),
    ("prosody", "the queue service for visitors"): (1, False),
}


def test_real_lines_are_few_kinds_and_each_is_judged() -> None:
    found = parse_logs({"jms": RECORDED})
    assert len(found) == len(REASONS)
    assert sum(each.count for each in found) == 57
    for (source, begin), (count, load) in REASONS.items():
        assert any(
            (each.source, each.count, each.load) == (source, count, load)
            and each.reason.startswith(begin)
            for each in found
        ), begin


def test_lines_that_nobody_has_judged_are_one_kind_for_each_place_that_writes_them() -> None:
    other = re.sub(r"SEVERE: (.*)", r"SEVERE: [9] X.y#1: Unheard of, 7 times", RECORDED)
    found = {each.template: each for each in parse_logs({"jms": other}) if not each.reason}
    assert {template: (each.origin, each.count) for template, each in found.items()} == {
        "X.y: Unheard of, <n> times": ("X.y", 6),
        "X.y: Unheard of, <n> times (ColibriAllocationFailedException)": ("X.y", 4),
        "X.y: Unheard of, <n> times (XMPPException$XMPPErrorException)": ("X.y", 2),
    }


def of_bridge(text: str, **installed: str) -> LogTemplate:
    entry = LogLine(0.0, True, "jms", "jvb", "warning", text)
    (found,) = count_templates([entry], installed=installed)
    return found


@pytest.mark.parametrize(
    ("version", "judged"),
    [("2.3-277-g6708140e0-1", False), ("2.3-312-ga29d97d13-1", True), ("0~standin1", True)],
)
def test_lines_are_judged_by_version_where_it_depends_on_one(version: str, judged: bool) -> None:
    text = "[1] x.DeprecationWarning.decorate: Using @Deprecated Class a.b.CrossOriginFilter"
    found = of_bridge(text, **{"jitsi-videobridge2": version})
    assert bool(found.reason) is judged


def test_known_words_with_another_exception_are_not_known() -> None:
    line = "[28] [id=shard] MucClient.connect#697: Error connecting:"
    known = f"{line}\norg.jivesoftware.smack.SmackException$NoResponseException: No response"
    assert of_bridge(known).reason
    assert not of_bridge(f"{line}\norg.jivesoftware.smack.sasl.SASLErrorException: no").reason
    assert of_bridge(line).reason


def test_other_words_for_a_known_reason_are_nothing_new() -> None:
    first = of_bridge("[1] a.Connector.run: Connector died: x\njava.net.SocketException: closed")
    other = of_bridge("[1] a.B.handle: Removing connector: y\njava.net.SocketException: closed")
    assert first.template != other.template
    assert new_templates([other], [first]) == []


def test_lines_of_which_there_are_many_more_are_told() -> None:
    few, many, lots = (replace(of_bridge("[1] A.b#1: words"), count=n) for n in (12, 66, 67))
    assert more_templates([many], [few]) == []
    assert more_templates([lots], [few]) == [(lots, few)]


# docs/facts/observed-labs.md, 5, as both sets of originals wrote them.
HARMLESS = [
    ("prosody", "visitors.meet.lab.internal:visitors_component: 'app_id' must not be empty"),
    ("jicofo", "[34] org.jivesoftware.smack.roster.Roster$5.processException: Exception reloading"
     " roster\norg.jivesoftware.smack.XMPPException$XMPPErrorException: XMPPError: service-una"),
    ("jvb", "[71] [confId=1a epId=2b] EndpointMessageTransport.webSocketError#394: Colibri"
     " websocket error: null"),
    ("jicofo", "[71] org.jivesoftware.smack.roster.Roster$PresencePacketListener.processStanza:"
     " Roster not loaded while processing Presence Stanza [to=focus@auth.meet.jitsi/focus]"),
    ("jvb", "[59] [confId=4a] Conference.lambda$new$1#368: Took 2186 ms to process an IQ: <iq/>"),
    ("jicofo", "[46] [room=a@b meeting_id=1] ColibriV2SessionManager.doAllocate#540: Bridge[jid=x]"
     " with visitor=false chosen for participant with visitor=true"),
    ("jvb", "[1] org.eclipse.jetty.util.DeprecationWarning.decorate: Using @Deprecated Class"
     " org.eclipse.jetty.ee10.servlets.CrossOriginFilter"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "text"), HARMLESS)
def test_every_line_that_facts_call_harmless_is_judged(source: str, text: str) -> None:
    (found,) = count_templates([LogLine(0.0, True, "jms", source, "error", text)])
    assert found.reason
    # The same line of another program is not.
    (other,) = count_templates([LogLine(0.0, True, "jms", "nginx", "error", text)])
    assert not other.reason


@pytest.mark.parametrize(
    "text",
    [
        "[1] [room=a@b] JitsiMeetConferenceImpl.start#1: Unheard of",
        "[1] VisitorsManager.sendIqToComponent$lambda$4#82: Received error response: <iq/>",
        "[1] XmppProvider.doConnect#131: Unable to connect\njava.lang.NullPointerException: null",
        "[1] ParticipantInviteRunnable.doRun#236: Failed to invite: KeyError('x')",
    ],
    ids=["in a room", "visitors", "exception", "defect"],
)
def test_what_nobody_has_judged_stays(text: str) -> None:
    (found,) = count_templates([LogLine(0.0, True, "jms", "jicofo", "error", text)])
    assert not found.reason


OTHER_RUN = {
    "offer-": "fo-77",
    "cm4001": "r12",
    "6KEKE": "QX1ZB",
    "v1.meet": "v7.meet",
    "#641": "#650",
    "$8#": "$11#",
    "Took 2186 ms": "Took 51 ms",
    "akflr68r02acv": "c0ffee77xyz",
    "Roster$5.": "Roster$6.",
    "anZiQGF1dGgubWVldC5sYW": "Zm9jdXNAYXV0aC5tZWV0",
    "2026-11-28T21:54:35.325603929Z": "2026-11-29T01:00:00.1Z",
    "192.168.90.": "10.77.14.",
}


def test_real_lines_of_another_run_are_nothing_new() -> None:
    other = RECORDED
    for old, new in OTHER_RUN.items():
        assert old in other
        other = other.replace(old, new)
    assert new_templates(parse_logs({"jms": other}), parse_logs({"jms": RECORDED})) == []


def test_known_place_that_throws_something_else_is_new() -> None:
    line = "org.jitsi.jicofo.bridge.colibri.ColibriAllocationFailedException: Timeout"
    assert line in RECORDED
    other = RECORDED.replace(line, "java.lang.NullPointerException: it is null")
    (found,) = new_templates(parse_logs({"jms": other}), parse_logs({"jms": RECORDED}))
    assert (found.origin, found.reason) == ("ParticipantInviteRunnable.doRun", "")
    assert found.template.endswith("(NullPointerException)")


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("[28] [confId=1a] Conference.lambda$new$1#368: Took 143 ms to process an IQ: <iq/>", True),
        ("[30] JvbDoctor$Task.doHealthCheck#9: Health check timed out for: Bridge[]", True),
        ("[30] A.b#1: It failed, but will give it another try after: 5000", True),
        ("[30] A.b#1: Failed to parse it\njava.lang.IllegalStateException: no", False),
        ("[30] A.b#1: Got an error: <iq id='x'><error>remote-server-timeout</error></iq>", False),
    ],
    ids=["took", "health check", "another try", "defect", "inside of a stanza"],
)  # fmt: skip
def test_what_load_alone_explains(text: str, load: bool) -> None:
    entry = LogLine(0.0, True, "jms", "jicofo", "warning", text)
    (found,) = count_templates([entry])
    assert found.load is load


def test_one_entry_that_load_does_not_explain_is_enough() -> None:
    entries = [
        LogLine(0.0, True, "jms", "jicofo", "error", f"[1] A.b#1: No answer\nx.YException: {why}")
        for why in ("Timeout", "Timeout", "refused")
    ]
    (found,) = count_templates(entries)
    assert (found.count, found.load) == (3, False)


@pytest.mark.parametrize(
    ("text", "source", "origin", "words"),
    [
        ("[41] [room=r1@c.m meeting_id=7f] A.b#12: words", "jicofo", "A.b", "words"),
        ("org.jivesoftware.smack.roster.Roster$5.run: words", "jicofo", "Roster.run", "words"),
        ("c2s55d0a8c01230: Client disconnected", "prosody", "c2s", "Client disconnected"),
        ("room.v3.meet.jitsi:muc: words", "prosody", "room.v<n>.meet.jitsi:muc", "words"),
        ("startup: Hello 7", "prosody", "startup", "Hello <n>"),
        ("jicofo.service: Failed with result 'exit-code'.", "systemd", "jicofo.service",
         "Failed with result 'exit-code'."),
        ("[1] A.b#3: No key videobridge.health in jvb.conf", "jvb", "A.b",
         "No key videobridge.health in jvb.conf"),
    ],
    ids=["context", "package and anonymous class", "session", "vnode", "startup", "journal", "key"],
)  # fmt: skip
def test_origin(text: str, source: str, origin: str, words: str) -> None:
    found = kind_of(text, source=source)
    assert (found.origin, found.words) == (origin, words)


def test_example_is_cut_to_what_a_person_reads() -> None:
    sample = f"[41] [room=r1@c.m meeting_id=7f] A.b#12: Took 7 ms: <iq a='b'>{'x' * 2000}</iq>"
    assert cut_sample(sample) == "A.b#12: Took 7 ms: <iq ...>"
    assert cut_sample("[1] A.b#1: a < b, c > d") == "A.b#1: a < b, c > d"
    assert len(cut_sample("x" * 2000)) == 140


@pytest.mark.parametrize(
    ("source", "text", "level"),
    [
        ("systemd", "x.service: Main process exited, code=exited, status=1/FAILURE", "error"),
        ("systemd", "x.service: Main process exited, code=killed, status=9/KILL", "error"),
        ("systemd", "x.service: Failed with result 'exit-code'.", "error"),
        ("systemd", "x.service: Main process exited, code=exited, status=0/SUCCESS", "info"),
        ("systemd", "Started x.service.", "info"),
        ("jicofo", "x.service: Failed with result 'exit-code'.", "info"),
    ],
)
def test_systemd_tells_of_failures_at_no_level_of_its_own(
    source: str, text: str, level: str
) -> None:
    assert level_of(LogLine(0.0, True, "jms", source, "info", text)) == level


def lines(*texts: str, source: str = "jicofo", level: str = "warning") -> list[LogLine]:
    return [LogLine(float(n), True, "jms", source, level, text) for n, text in enumerate(texts)]


def test_kinds_are_apart_by_source_and_level_and_the_most_frequent_comes_first() -> None:
    found = count_templates(
        [
            *lines("[1] A.b#1: words 1\nx.YException: z", source="jvb"),
            *lines("[1] A.b#1: words 2", "[1] A.b#1: words 3", level="error"),
            *lines("[1] A.b#1: words 4", "[1] A.b#1: words 5", "[1] A.b#1: words 6"),
            *lines("[1] A.b#1: fine", level="info"),
        ]
    )
    assert found == (
        LogTemplate("jicofo", "warning", "A.b: words <n>", 3, "[1] A.b#1: words 4", "A.b"),
        LogTemplate("jicofo", "error", "A.b: words <n>", 2, "[1] A.b#1: words 2", "A.b"),
        LogTemplate(
            "jvb", "warning", "A.b: words <n> (YException)", 1, "[1] A.b#1: words 1", "A.b"
        ),
    )


@pytest.mark.parametrize(
    ("source", "program"),
    [("prosody-v1", "prosody"), ("prosody-v12", "prosody"), ("jvb2", "jvb"), ("nginx", "nginx")],
)
def test_programs_that_are_there_several_times_are_one_source(source: str, program: str) -> None:
    (found,) = count_templates(lines("words", source=source))
    assert found.source == program


def test_known_lines_are_one_kind_with_the_worst_of_their_levels() -> None:
    text = "[71] [confId=1a epId=2b] A.webSocketError#394: Colibri websocket error: null"
    (found,) = count_templates(
        [
            *lines(text, source="jvb"),
            *lines(text, source="jvb", level="error"),
            *lines(text, source="jvb"),
        ]
    )
    assert (found.level, found.count) == ("error", 3)
    assert found.reason


@pytest.mark.parametrize(
    ("text", "source", "origin"),
    [
        ("[1] a.b.Call.lambda$join$12#3: words", "jicofo", "Call.join"),
        ("[1] a.b.Call$Inner$3$4.run#3: words", "jicofo", "Call$Inner.run"),
        ("[1] a.b.Call.<init>#3: words", "jicofo", "Call.<init>"),
        ("mod_bosh55d0a8c01230: words", "prosody", "mod_bosh"),
        ("s2sin55d0a8: words", "prosody", "s2sin"),
        ("v3.meet.jitsi: words", "prosody-v3", "v<n>.meet.jitsi"),
        ("A.Meet.Jitsi:Muc: words", "prosody", "A.Meet.Jitsi:Muc"),
        ("Startup: words", "prosody", "Startup"),
        ("a.b.v3.c:muc: words", "prosody", "a.b.v<n>.c:muc"),
        ("words without an origin", "jicofo", ""),
    ],
)
def test_who_wrote_a_line(text: str, source: str, origin: str) -> None:
    found = kind_of(text, source=source)
    assert found.origin == origin
    assert found.words == ("words" if origin else text)


def test_threads_and_context_are_no_words() -> None:
    assert (
        kind_of(" [12] [room=a@b id=1] It failed\n\tat a.b(C.java:1)", source="jvb").words
        == "It failed"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sent <iq id='1'> and <a/> to it", "sent <xml> to it"),
        ("set {b=[1, 2], a={c}} done", "set <...> done"),
        ("Bridge(jid=x, y) and (plain) here", "Bridge<...> and (plain) here"),
        ("to focus@auth.meet.jitsi/focus, now", "to <jid>, now"),
        ("on jvb2 and v1 of meet.example.org", "on jvb<n> and v<n> of <host>"),
    ],
)
def test_what_is_inside_of_texts_is_masked(text: str, words: str) -> None:
    assert kind_of(text, source="jicofo").words == words


def test_an_exception_that_the_words_name_is_named_once() -> None:
    text = "[1] A.b#1: Got a NullPointerException\njava.lang.NullPointerException: null"
    assert kind_of(text, source="jicofo").words == "Got a NullPointerException"
    other = "[1] A.b#1: Got it\njava.lang.NullPointerException: null"
    assert str(kind_of(other, source="jicofo")) == ("A.b: Got it (NullPointerException)")


def test_sets_are_printed_in_any_order() -> None:
    one, other = (template(f"Found {words}") for words in ("[a, b] of c", "[b; a] of c"))
    assert new_templates([other], [one]) == []
    assert new_templates([template("Found [a, d] of c")], [one])
    assert new_templates([replace(one, level="error")], [one])
    assert new_templates([replace(one, source="jvb")], [one])


def test_a_reason_counts_more_than_words_and_less_than_the_source() -> None:
    one = replace(template("a"), reason="known")
    assert new_templates([replace(template("b"), reason="known")], [one]) == []
    assert new_templates([replace(one, source="jvb")], [one])
    assert new_templates([replace(one, reason="other")], [one])


def test_only_what_both_log_can_be_more() -> None:
    few = replace(template("a"), count=10)
    assert more_templates([replace(template("b"), count=500)], [few]) == []
    assert more_templates([replace(few, count=60)], [few]) == []
    assert len(more_templates([replace(few, count=61)], [few])) == 1


@pytest.mark.parametrize(
    ("text", "load"),
    [
        ("[1] A.b#1: It failed\nx.YException: Timeout\nmore", True),
        ("[1] A.b#1: It failed\nx.YException: no\nCaused by: Timeout\n\tat x", False),
    ],
)
def test_of_what_was_thrown_the_first_line_says_whether_load_explains_it(
    text: str, load: bool
) -> None:
    (found,) = count_templates(lines(text))
    assert found.load is load


@pytest.mark.parametrize("load", [True, False])
def test_of_a_known_line_it_is_known_whether_load_explains_it(
    load: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = KnownLine("jvb", "It is late", "known", load=load)
    monkeypatch.setattr(logs, "explain", lambda *_, **__: known)
    (found,) = count_templates(lines("It is late", source="jvb"))
    assert (found.reason, found.load) == ("known", load)


def test_lines_are_read_as_their_program_writes_them() -> None:
    (found,) = count_templates(lines("startup: Hello", source="prosody-v1"))
    assert (found.origin, found.template) == ("startup", "startup: Hello")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 140, "x" * 140),
        ("x" * 141, "x" * 136 + " ..."),
        ("x" * 130 + " " * 8 + "y" * 20, "x" * 130 + " ..."),
        ("one\ntwo", "one"),
        ("[1] [a=b] A.b#1: got <iq id='1'>hello</iq> back", "A.b#1: got <iq ...>"),
    ],
)
def test_an_example_is_one_line_of_so_many_characters(text: str, shown: str) -> None:
    assert cut_sample(text) == shown
