"""Log lines by kind: who wrote them, and the words that do not change from run to run.

Lines that somebody has judged are one kind for each reason (`labctl.drills.knownlines`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from labctl.drills.knownlines import KnownLine, explain, thrown_by
from labctl.gate.model import LogTemplate
from labctl.report.lines import LogLine
from labctl.report.logs import merge

BAD_LEVELS = ("warning", "error")
SAMPLE_LENGTH = 140
"""Characters of an example for people; gate.json has the whole line."""
MORE_TIMES, MORE_LINES = 3, 30
"""A kind that both sides log is reported from so many times the baseline's lines and more on."""

# `[41] [room=r1@... meeting_id=...] Class.method#12: words`, as Jicofo and the bridge write it;
# libraries' classes come with their packages and without a line's number.
_JITSI = re.compile(
    r"^(?:\[\d+\] )?(?:\[[^\]]*=[^\]]*\] )?"
    r"(?P<origin>[\w$]+(?:\.[\w$<>-]+)+)(?:#\d+)?: (?P<rest>.*)"
)
# `host:module: words`, `c2s55aa0123: words` and `startup: words`, as Prosody writes it.
_PROSODY = re.compile(r"^(?P<origin>[\w.-]+(?::[\w.-]+)?): (?P<rest>.*)")
_SESSION = re.compile(r"^(c2s|s2sin|s2sout|jcp|http|mod_[a-z_]+?)[0-9a-f]{6,}$")
_THREAD = re.compile(r"^(?:\[\d+\] )?(?:\[[^\]]*=[^\]]*\] )?")
_CLOSURE = re.compile(r"^lambda\$(.*?)\$\d+$")
# Anonymous classes are numbered again in every release.
_ANONYMOUS = re.compile(r"(?:\$\d+)+")

# In this order: what comes first may hold what comes later.
_MASKS: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), mask)
    for pattern, mask in (
        (r"<[a-z?!/][^>]*(?:>|$)", "<xml>"),
        (r"(?:<xml>[^<]*)+<xml>", "<xml>"),
        (r"[\w.+~%-]+@[\w.-]+(?:/[^\s,\]\)'\"]+)?", "<jid>"),
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
        # Base64 has capitals, small letters and digits in one long word.
        (r"\b(?=[\w+/]*\d)(?=[\w+/]*[a-z])(?=[\w+/]*[A-Z])[\w+/-]{16,}={0,2}", "<id>"),
        (r"0x[0-9a-fA-F]+", "<id>"),
        (r"\b[0-9A-Z]{5,6}-\d+\b", "<id>"),
        # A word of letters and digits mixed is a name that somebody made up for this run; one with
        # a digit at its end only is not, as videobridge2.
        (r"\b(?=[0-9a-z]*\d[0-9a-z])(?=[0-9a-z]*[a-z])[0-9a-z]{6,}\b", "<id>"),
        (r"\b[0-9a-f]{8,}\b", "<id>"),
        (r"\blabctl-[\w-]+", "<room>"),
        # Hosts by their last part: units, keys and packages have dots in their names, too.
        (
            r"\b[a-z0-9][a-z0-9.-]*\.(?:internal|jitsi|com|net|org|lan|local|test)\b(?![.\w])",
            "<host>",
        ),
        (r"\b(jvb|v|visitors|shard|endpoint)-?\d+\b", r"\1<n>"),
        # A digit inside of a name, as in s2s_whitelist, is a part of it.
        (r"(?<![A-Za-z_])\d+(?:[.:]\d+)*|\d+(?:[.:]\d+)*(?![A-Za-z_])", "<n>"),
    )
)
_STANZA = re.compile(r"<([a-z]\w*)[ />].*[>\w]")
_INNERMOST = re.compile(r"\[[^\[\]{}]*\]|\{[^\[\]{}]*\}")
_DETAILS = re.compile(r"\([^()]*[=<@,][^()]*\)")

# What a machine that is too busy is enough to explain: late answers, and what follows from them.
_LOAD = re.compile(
    r"Took (?:\d+|<n>) ?ms|timed? ?out|Timeout|No response received|will give it another try"
    r"|[Nn]ot keeping up|took too long|NoResponseException|delay too high",
)
# Systemd tells of a unit's end at no level of its own.
_JOURNAL_ERRORS = re.compile(r"Main process exited, code=(?!exited, status=0)|Failed with result")
_JOURNAL_SOURCES = ("systemd",)


@dataclass(frozen=True, slots=True)
class Kind:
    """Who wrote an entry, and the words of it that do not change."""

    origin: str
    words: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.words}" if self.origin else self.words


def kind_of(text: str, *, source: str) -> Kind:
    """The kind of an entry; of a stack trace only the exception counts."""
    first, _, trace = text.strip().partition("\n")
    pattern = _PROSODY if source.startswith("prosody") else _JITSI
    found = pattern.match(first)
    origin = _origin(found["origin"]) if found else ""
    words = _words(found["rest"] if found else _THREAD.sub("", first))
    thrown = thrown_by(trace)
    if thrown is not None and thrown not in words:
        words = f"{words} ({thrown})"
    return Kind(origin, words)


def _origin(text: str) -> str:
    """`Class.method` or `host:module` without packages, closures' and sessions' numbers."""
    session = _SESSION.match(text)
    if session is not None:
        return session[1]
    host, colon, module = text.partition(":")
    if colon or "." not in text or text == text.lower():
        return re.sub(r"\bv\d+\b", "v<n>", host) + colon + module
    holder, method = text.split(".")[-2:]
    closure = _CLOSURE.match(method)
    holder = _ANONYMOUS.sub("", holder)
    return f"{holder}.{closure[1] if closure else method}"


def _words(text: str) -> str:
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    # Structures have other members in another order every time.
    while (shorter := _INNERMOST.sub("<...>", text)) != text:
        text = shorter
    return _DETAILS.sub("<...>", text).strip()


@dataclass(slots=True)
class _Group:
    """Entries of one kind: how many, the first one, and whether load explains all of them."""

    first: LogLine
    kind: Kind
    reason: str
    level: str
    load: bool = True
    count: int = 0

    def add(self, kind: Kind, entry: LogLine, known: KnownLine | None) -> None:
        self.count += 1
        self.load &= _is_load(kind, entry.text) or (known is not None and known.load)
        self.level = max(self.level, level_of(entry), key=BAD_LEVELS.index)


def count_templates(
    entries: Iterable[LogLine], *, installed: Mapping[str, str] | None = None
) -> tuple[LogTemplate, ...]:
    """Warnings and errors by source and kind, the most frequent first.

    `installed` are versions by package, as lines are judged for some of them; a package without
    one counts as the newest known.
    """
    groups: dict[tuple[str, ...], _Group] = {}
    for entry in entries:
        level = level_of(entry)
        if level not in BAD_LEVELS:
            continue
        source = re.sub(r"-?v?\d+$", "", entry.source)
        kind = kind_of(entry.text, source=source)
        known = explain(entry.text, source=source, installed=installed or {})
        reason = known.reason if known is not None else ""
        key = (source, reason) if reason else (source, level, str(kind))
        group = groups.setdefault(key, _Group(entry, kind, reason, level))
        group.add(kind, entry, known)
    found = [_template(key[0], group) for key, group in groups.items()]
    return tuple(sorted(found, key=lambda it: -it.count))


def _template(source: str, group: _Group) -> LogTemplate:
    return LogTemplate(
        source,
        group.level,
        str(group.kind),
        group.count,
        group.first.text.partition("\n")[0],
        group.kind.origin,
        group.load,
        group.reason,
    )


def _is_load(kind: Kind, text: str) -> bool:
    """Whether a machine that is too busy is enough to explain an entry, by its words or by the
    first line of what was thrown; what is inside of a stanza is neither."""
    thrown = text.partition("\n")[2].partition("\n")[0]
    return _LOAD.search(kind.words) is not None or _LOAD.search(thrown) is not None


def level_of(entry: LogLine) -> str:
    """The entry's level; systemd's words about a unit that failed are errors."""
    if entry.source in _JOURNAL_SOURCES and _JOURNAL_ERRORS.search(entry.text):
        return "error"
    return entry.level


def parse_logs(
    nodes: Mapping[str, str], *, installed: Mapping[str, str] | None = None
) -> tuple[LogTemplate, ...]:
    """Kinds of lines in all nodes' logs (name to what `labctl.lab.collect` brought)."""
    return count_templates(merge(nodes), installed=installed)


def new_templates(
    candidate: Iterable[LogTemplate], baseline: Iterable[LogTemplate]
) -> list[LogTemplate]:
    """What the candidate logs but the baseline does not."""
    known = {_key(each) for each in baseline}
    return [each for each in candidate if _key(each) not in known]


def more_templates(
    candidate: Iterable[LogTemplate], baseline: Iterable[LogTemplate]
) -> list[tuple[LogTemplate, LogTemplate]]:
    """What both log, but the candidate so much more often that chance does not explain it."""
    known = {_key(each): each for each in baseline}
    pairs = [(each, known[_key(each)]) for each in candidate if _key(each) in known]
    return [(new, old) for new, old in pairs if new.count > MORE_TIMES * old.count + MORE_LINES]


def cut_sample(text: str) -> str:
    """An example as a person reads it: without thread, context and stanzas, and not long."""
    line = _STANZA.sub(r"<\1 ...>", _THREAD.sub("", text.partition("\n")[0]))
    return line if len(line) <= SAMPLE_LENGTH else line[: SAMPLE_LENGTH - 4].rstrip() + " ..."


def _key(each: LogTemplate) -> tuple[str, ...]:
    """Two templates are one when their words are: sets are printed in any order."""
    if each.reason:
        return each.source, each.reason
    words = sorted(re.findall(r"[^\s,;()\[\]{}]+", each.template))
    return each.source, each.level, *words
