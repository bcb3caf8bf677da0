"""Read the configuration of Jicofo and of the bridge: HOCON keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from typing import Any

from labctl.core.errors import LabError
from labctl.drift.sections import Sections, flatten
from labctl.spec.hocon import parse_hocon

# pyhocon turns `20 seconds` into an object whose type depends on what is installed.  In quotes it
# stays text, and means the same to Java's reader.
_DURATION = re.compile(
    r"([=:]\s*)(\d+)\s*((?:nano|micro|milli)?s(?:econds?)?|[num]s|m(?:inutes?)?|h(?:ours?)?"
    r"|d(?:ays?)?)(?=\s*(?:[,}\n#]|//|$))"
)
# Text in quotes, or a comment.  The patterns below change only what is outside of both.
_QUOTED = r'"""(?:.|\n)*?"""|"(?:[^"\\\n]|\\.)*"|(?://|#)[^\n]*'
_BLANK = re.compile(rf"({_QUOTED})|[\ufeff\u00a0\u2000-\u200a\u202f\u3000]")
_APPEND = re.compile(rf'"(?P<quoted>[^"\n]*)"\s*\+=|({_QUOTED})|(?P<key>[A-Za-z0-9_-]+)\s*\+=')
_APPENDED = re.compile(r"^(.*)-labctl-append-\d+$")


def parse_sections(text: str, *, source: str) -> Sections:
    """The keys of a HOCON text, dotted, in one section.

    Errors: LabError that names `source` if the text is not HOCON.
    """
    try:
        tree = parse_hocon(_DURATION.sub(r'\1"\2 \3"', _readable(text)))
        return {(): flatten(_with_appended(tree))}
    except ValueError as error:
        raise LabError(f"{source} is not HOCON: {error}.") from error


def _readable(text: str) -> str:
    """The same text in a form that pyhocon can read.

    HOCON treats a byte order mark and Unicode's blanks as white space; pyhocon does not.  Of
    several `key += item`, pyhocon keeps only the last, so each becomes a key of its own
    (`_with_appended`).
    """
    numbers = count(1)

    def append(found: re.Match[str]) -> str:
        if found[2] is not None:
            return found[2]
        name = f"{found['key'] or found['quoted']}-labctl-append-{next(numbers)}"
        return f"{name} =" if found["key"] else f'"{name}" ='

    return _APPEND.sub(append, _BLANK.sub(lambda found: found[1] or " ", text))


def _with_appended(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Put items that were appended into the list that they belong to."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        inner = _with_appended(value) if isinstance(value, Mapping) else value
        appended = _APPENDED.match(key)
        if appended is None:
            found[key] = inner
            continue
        old = found.get(appended[1], [])
        found[appended[1]] = [*(old if isinstance(old, list) else [old]), inner]
    return found
