"""Compare an answer with what an entry expects.  No I/O."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from labctl.contract.table import PARTICIPANTS, ContractEntry, EntryKind

SHOWN = 160
"""Characters of an answer that a difference quotes."""

TYPES = {"regular file": "file", "regular empty file": "file", "symbolic link": "link"}

# docs/facts/jicofo-log.md, 1: program, time, level, thread, context or none, class.method#line.
HEAD = re.compile(
    r"^(?:Jicofo|JVB) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} "
    r"(SEVERE|WARNING|INFO|CONFIG|FINE\w*): \[\d+\] (?:\[([^\]]*)\] )?\S+: (.*)$"
)


def find_differences(entry: ContractEntry, answer: str) -> list[str]:
    """What differs from the entry, as sentences; empty if nothing does."""
    return list(_COMPARERS[entry.kind](entry.what, answer))


def _file(what: Mapping[str, Any], answer: str) -> Iterator[str]:
    lines = answer.split("\n")
    fields = lines[0].split("|")
    if len(fields) != 4:
        yield f"'{what['path']}' does not exist"
        return
    seen = dict(zip(("type", "owner", "group", "mode"), fields, strict=True))
    seen["type"] = TYPES.get(seen["type"], seen["type"])
    for key, value in seen.items():
        if key in what and what[key] != value:
            yield f"'{what['path']}': {key} is '{value}', not '{what[key]}'"
    if "contains" in what and not (len(lines) > 1 and lines[1].isdigit() and int(lines[1])):
        yield f"'{what['path']}' has no line like '{what['contains']}'"


def _user(what: Mapping[str, Any], answer: str) -> Iterator[str]:
    lines = answer.strip().split("\n")
    fields = lines[0].split(":")
    if len(fields) < 7 or len(lines) < 2:
        yield f"there is no user '{what['name']}'"
        return
    for key, value in (("home", fields[5]), ("group", lines[1])):
        if key in what and what[key] != value:
            yield f"user '{what['name']}': {key} is '{value}', not '{what[key]}'"


def _unit(what: Mapping[str, Any], answer: str) -> Iterator[str]:
    seen = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    for key, wanted in what["properties"].items():
        if not re.search(wanted, seen.get(key, "")):
            yield f"'{what['unit']}': {key} is '{seen.get(key, '')}', not '{wanted}'"


def _rest(what: Mapping[str, Any], answer: str) -> Iterator[str]:
    body, _, status = answer.rstrip("\n").rpartition("\n")
    where = f"{what.get('method', 'GET')} :{what['port']}{what['path']}"
    if status != str(what["status"]):
        yield f"{where} answers with status {status or 'none'}, not {what['status']}"
        return
    if "matches" in what and not re.search(what["matches"], body):
        yield f"{where}: the body is '{_short(body)}', not like '{what['matches']}'"
    if "keys" not in what and "values" not in what:
        return
    try:
        data = json.loads(body)
    except ValueError:
        yield f"{where}: the body is not JSON: '{_short(body)}'"
        return
    for key in what.get("keys", ()):
        if not list(values_at(data, key)):
            yield f"{where} has no key '{key}'"
    for key, wanted in what.get("values", {}).items():
        seen = list(values_at(data, key))
        if not any(re.search(wanted, _text(value)) for value in seen):
            shown = ", ".join(map(_text, seen)) or "nothing"
            yield f"{where}: '{key}' is {_short(shown)}, not '{wanted}'"


def values_at(data: Any, path: str) -> Iterator[Any]:
    """The values under a path of keys `a.b.c`; `*` stands for any key or item."""
    key, _, rest = path.partition(".")
    if key == "*":
        inner = list(data.values() if isinstance(data, dict) else data) if data else []
    else:
        inner = [data[key]] if isinstance(data, dict) and key in data else []
    for value in inner:
        yield from values_at(value, rest) if rest else (value,)


def _log(what: Mapping[str, Any], answer: str) -> Iterator[str]:
    found = []
    for line in answer.splitlines():
        head = HEAD.match(line)
        if not head or not re.search(what["message"], head[3]):
            continue
        if head[1] == what.get("level", head[1]) and re.search(
            what.get("context", ""), head[2] or ""
        ):
            return
        found.append(f"{head[1]} [{head[2] or ''}]")
    if found:
        wanted = f"{what.get('level', 'any level')} [{what.get('context', '')}]"
        yield f"'{what['message']}' is logged as {_short(found[0])}, not {wanted}"
    else:
        yield f"'{what['file']}' has no line like '{what['message']}'"


def _xmpp(what: Mapping[str, Any], answer: str) -> Iterator[str]:
    name = f"{what['seen_in']}: {what.get('pick', what.get('line', 'a participant'))}"
    if what["seen_in"] == PARTICIPANTS:
        yield from _participants(what, answer)
        return
    stanzas = [one for one in map(_stanza, answer.splitlines()) if one is not None]
    picked = [one for one in stanzas if one.find(what.get("pick", ".")) is not None]
    if not picked:
        yield f"no stanza like '{name}' among {len(stanzas)}"
        return
    best = min(
        ([path for path in what["has"] if one.find(path) is None] for one in picked), key=len
    )
    for path in best:
        yield f"'{name}' has no '{path}'"


def _participants(what: Mapping[str, Any], answer: str) -> Iterator[str]:
    views = json.loads(answer) if answer.strip() else []
    for path, wanted in what["has"].items():
        seen = [_text(value) for view in views for value in values_at(view, path)]
        if not any(re.search(wanted, value) for value in seen):
            shown = _short(", ".join(seen) or "nothing")
            yield f"participants saw {shown} as '{path}', not '{wanted}'"


def _stanza(line: str) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(line[line.index("<iq") :])
    except (ValueError, ElementTree.ParseError):
        return None


def _exit(what: Mapping[str, Any], answer: str) -> Iterator[str]:
    output, _, last = answer.rstrip("\n").rpartition("exit ")
    if last != str(what["status"]):
        yield f"'{what['command']}' ends with {last or 'nothing'}, not {what['status']}"
    if "output" in what and not re.search(what["output"], output):
        yield f"'{what['command']}' says '{_short(output)}', not '{what['output']}'"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


_COMPARERS: Mapping[EntryKind, Callable[[Mapping[str, Any], str], Iterator[str]]] = {
    EntryKind.FILE: _file,
    EntryKind.USER: _user,
    EntryKind.UNIT: _unit,
    EntryKind.REST: _rest,
    EntryKind.LOG: _log,
    EntryKind.XMPP: _xmpp,
    EntryKind.EXIT: _exit,
}
