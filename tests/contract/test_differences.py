"""Judging recorded answers: what a node said, and what differs from the entry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from labctl.contract.differences import find_differences
from labctl.contract.table import ContractEntry, EntryKind
from labctl.topology.spec import Role

BEGIN = "Jicofo 2026-11-21 11:31:05.231 INFO: [41] "
JOINED = "MucClient$MucWrapper.join#826: Joined MUC: jvbbrewery@internal.auth.meet.lab.internal"
ADDED = (
    f"{BEGIN}[type=bridge brewery=jvbbrewery] BaseBrewery.addInstance#379: "
    "Added brewery instance: jvbbrewery@internal.auth.meet.lab.internal/jvb1"
)
MODIFY = (
    "JVB 2026-11-21 15:17:10.509 INFO: [60] [confId=f0 meeting_id=b3ea0cad] X.y#1: "
    "RECV colibri2 request: <iq from='b@x/focus' type='get' xml:lang='en'>"
    "<conference-modify xmlns='jitsi:colibri2' meeting-id='b3'><endpoint id='66' expire='true'/>"
    "</conference-modify></iq>"
)
COLIBRI = "{jitsi:colibri2}"
VIEW = {"role": "visitor", "events": {"answered": {"focus": "focus@auth.meet.jitsi"}}}


def entry(kind: EntryKind, **what: Any) -> ContractEntry:
    return ContractEntry("a.b", "jicofo", kind, "facts", what, frozenset({Role.JMS}))


def file(**what: Any) -> ContractEntry:
    return entry(EntryKind.FILE, path="/x", **what)


def rest(**what: Any) -> ContractEntry:
    return entry(EntryKind.REST, **{"port": 1, "path": "/stats", "status": 200, **what})


def log(message: str, **what: Any) -> ContractEntry:
    return entry(EntryKind.LOG, file="/x.log", message=message, **what)


def stanza(*has: str, pick: str = f"./{COLIBRI}conference-modify") -> ContractEntry:
    return entry(EntryKind.XMPP, seen_in="/x.log", line="RECV", pick=pick, has=list(has))


def seen(**has: str) -> ContractEntry:
    return entry(
        EntryKind.XMPP, seen_in="participants", has={k.replace("_", "."): v for k, v in has.items()}
    )


UNIT = entry(EntryKind.UNIT, unit="u.service", properties={"Restart": "^on-failure$"})
USER = entry(EntryKind.USER, name="jvb", group="jitsi", home="/h")
EXIT = entry(EntryKind.EXIT, command="c", status=2, output="^No conf")


@pytest.mark.parametrize(
    ("one", "answer", "said"),
    [
        pytest.param(file(mode="750"), "directory|jvb|jitsi|750\n", "", id="file"),
        pytest.param(file(mode="750"), "directory|jvb|jitsi|755\n", "mode is '755'", id="mode"),
        pytest.param(file(type="file"), "regular empty file|a|b|644\n", "", id="empty file"),
        pytest.param(file(), "stat: cannot statx '/x'\n", "does not exist", id="no file"),
        pytest.param(file(contains="a"), "regular file|a|b|644\n3\n", "", id="contains"),
        pytest.param(file(contains="a"), "regular file|a|b|644\n0\n", "no line", id="contains not"),
        pytest.param(USER, "jvb:x:9:9::/h:/bin/false\njitsi\n", "", id="user"),
        pytest.param(USER, "jvb:x:9:9::/h:/bin/false\njvb\n", "group is 'jvb'", id="group"),
        pytest.param(USER, "", "no user 'jvb'", id="no user"),
        pytest.param(UNIT, "Restart=on-failure\n", "", id="unit"),
        pytest.param(UNIT, "Restart=no\n", "Restart is 'no'", id="unit differs"),
        pytest.param(UNIT, "", "Restart is ''", id="no unit"),
        pytest.param(rest(keys=["a.b"]), '{"a": {"b": 0}}\n200', "", id="key"),
        pytest.param(rest(keys=["a.c"]), '{"a": {"b": 0}}\n200', "no key 'a.c'", id="no key"),
        pytest.param(rest(keys=["a.*.c"]), '{"a": {"b": {"c": 1}}}\n200', "", id="any key"),
        pytest.param(rest(values={"a": "^[1-9]"}), '{"a": 3}\n200', "", id="value"),
        pytest.param(rest(values={"a": "^[1-9]"}), '{"a": 0}\n200', "'a' is 0", id="other value"),
        pytest.param(rest(values={"a": "^false$"}), '{"a": false}\n200', "", id="boolean"),
        pytest.param(rest(), "\n404", "status 404, not 200", id="status"),
        pytest.param(rest(), "\n000", "status 000, not 200", id="nobody listens"),
        pytest.param(rest(keys=["a"]), "oops\n200", "not JSON", id="no json"),
        pytest.param(rest(matches="^Not found"), "Gone\n200", "the body is 'Gone'", id="body"),
        pytest.param(log("Added brewery instance: ", level="INFO"), ADDED, "", id="log"),
        pytest.param(log("Added", context="brewery=jvb"), ADDED, "", id="context"),
        pytest.param(log("Added", context="room="), ADDED, "logged as INFO [type", id="no context"),
        pytest.param(log("Added", level="WARNING"), ADDED, "not WARNING", id="level"),
        pytest.param(log("Joined MUC"), f"{BEGIN}{JOINED}", "", id="no context at all"),
        pytest.param(log("Joined MUC"), JOINED, "no line like", id="no head"),
        pytest.param(log("Removed"), ADDED, "no line like 'Removed'", id="no line"),
        pytest.param(stanza(f".//{COLIBRI}endpoint[@id]"), MODIFY, "", id="stanza"),
        pytest.param(stanza(".[@type='get']"), MODIFY, "", id="the stanza itself"),
        pytest.param(stanza(".[@type='set']"), MODIFY, "has no '.[@type", id="another type"),
        pytest.param(stanza(".", pick="./x"), MODIFY, "no stanza like", id="not picked"),
        pytest.param(stanza("."), "", "among 0", id="no stanza"),
        pytest.param(stanza("."), "RECV <iq oops", "among 0", id="cut short"),
        pytest.param(seen(role="^visitor$"), json.dumps([VIEW]), "", id="participant"),
        pytest.param(
            seen(events_answered_focus="^focus@auth"), json.dumps([VIEW]), "", id="an event"
        ),
        pytest.param(seen(role="^owner$"), json.dumps([VIEW]), "saw visitor as", id="another role"),
        pytest.param(seen(role="."), "[]", "saw nothing", id="nobody"),
        pytest.param(EXIT, "No configuration file.\nexit 2\n", "", id="exit"),
        pytest.param(EXIT, "No configuration file.\nexit 0\n", "ends with 0", id="exit status"),
        pytest.param(EXIT, "Hm\nexit 2\n", "says 'Hm'", id="exit output"),
        pytest.param(EXIT, "", "ends with nothing", id="no answer"),
    ],
)
def test_answers(one: ContractEntry, answer: str, said: str) -> None:
    problems = find_differences(one, answer)
    if said:
        assert said in " ".join(problems)
    else:
        assert not problems
