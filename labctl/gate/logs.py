"""Log lines by template: what is alike but for numbers and names counts as one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from labctl.gate.model import LogTemplate
from labctl.report.logs import merge
from labctl.report.model import LogLine

BAD_LEVELS = ("warning", "error")

# In this order: what comes first may hold what comes later.
_MASKS: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), mask)
    for pattern, mask in (
        (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
        (r"[\w.+~%-]+@[\w.-]+(?:/[^\s,\]\)'\"]+)?", "<jid>"),
        (r"0x[0-9a-fA-F]+", "<id>"),
        # A word of letters and digits mixed is a name that somebody made up for this run.
        (r"\b(?=[0-9a-z]*\d)(?=[0-9a-z]*[a-z])[0-9a-z]{6,}\b", "<id>"),
        (r"\b[0-9a-f]{8,}\b", "<id>"),
        (r"\blabctl-[\w-]+", "<room>"),
        (r"\d+(?:[.:]\d+)*", "<n>"),
    )
)
# Systemd tells of a unit's end at no level of its own.
_JOURNAL_ERRORS = re.compile(r"Main process exited, code=(?!exited, status=0)|Failed with result")
_JOURNAL_SOURCES = ("systemd",)


def template_of(text: str) -> str:
    """The first line of an entry without what differs between two runs of the same program."""
    line = text.partition("\n")[0].strip()
    for pattern, mask in _MASKS:
        line = pattern.sub(mask, line)
    return line


def count_templates(entries: Iterable[LogLine]) -> tuple[LogTemplate, ...]:
    """Warnings and errors by source, level and template, the most frequent first."""
    counts: Counter[tuple[str, str, str]] = Counter()
    samples: dict[tuple[str, str, str], str] = {}
    for entry in entries:
        level = level_of(entry)
        if level not in BAD_LEVELS:
            continue
        key = (re.sub(r"\d+$", "", entry.source), level, template_of(entry.text))
        counts[key] += 1
        samples.setdefault(key, entry.text.partition("\n")[0])
    return tuple(
        LogTemplate(source, level, template, count, samples[source, level, template])
        for (source, level, template), count in counts.most_common()
    )


def level_of(entry: LogLine) -> str:
    """The entry's level; systemd's words about a unit that failed are errors."""
    if entry.source in _JOURNAL_SOURCES and _JOURNAL_ERRORS.search(entry.text):
        return "error"
    return entry.level


def parse_logs(nodes: Mapping[str, str]) -> tuple[LogTemplate, ...]:
    """Templates of all nodes' logs (name to what `labctl.lab.collect` brought)."""
    return count_templates(merge(nodes))


def new_templates(
    candidate: Iterable[LogTemplate], baseline: Iterable[LogTemplate]
) -> list[LogTemplate]:
    """What the candidate logs and the baseline does not."""
    known = {_key(each) for each in baseline}
    return [each for each in candidate if _key(each) not in known]


def _key(each: LogTemplate) -> tuple[str, str, tuple[str, ...]]:
    """Two templates are one when their words are: sets are printed in any order."""
    return each.source, each.level, tuple(sorted(re.findall(r"[^\s,;()\[\]{}]+", each.template)))
