"""Reads what a run of a spec left: a line of JSON for each thing that happened."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from labctl.browser.changes import names_change
from labctl.core.plain import from_plain
from labctl.report.e2e import AttemptRecord, CaseOutcome, CaseRecord

CONSOLE = ".console.txt"
CHANGED = (
    "An address of this machine came or went while it ran, as when containers start or end beside,"
    " and Chromium then gives up connections."
)

# mocha and WebdriverIO write the cause of an error behind another "Error:".
_CAUSE = re.compile(r"^Error: (?=\w*Error\b)")
_ERROR = re.compile(r"\b\w*(?:Error|ERR_\w+)\b")
_FRONT = re.compile(r"^(?:\[\d+-\d+\]\s*)?(?:\S+ (?:ERROR|WARN) \S+: )?")


def read_attempt(
    results: Path, *, code: int | None, output: str, started: float, ended: float, files: Path
) -> AttemptRecord:
    """One run of a spec, from its file of results, its exit status and what it printed.

    `code` is None for a run that took too long.  `files` is the folder of pictures and logs,
    relative to that of e2e.json.
    """
    lines = list(_objects(results))
    kept = [str(files / line["name"]) for line in lines if line.get("kind") == "file"]
    cases = tuple(_case(line) for line in lines if line.get("kind") == "case")
    consoles = [results.parent / Path(name).name for name in kept if name.endswith(CONSOLE)]
    return AttemptRecord(
        started=started,
        ended=ended,
        cases=cases,
        problem=_problem(lines, cases, code=code, output=output, seconds=ended - started),
        files=(*sorted(kept), str(files / "wdio.log")),
        disturbed=_disturbed(cases, consoles),
    )


def _disturbed(cases: Iterable[CaseRecord], consoles: Iterable[Path]) -> str:
    """What disturbed a run that failed; empty if it passed or nothing is known."""
    failed = [case for case in cases if case.outcome is CaseOutcome.FAILED]
    said = chain((f"{case.message} {case.detail}" for case in failed), map(_text, consoles))
    return CHANGED if failed and names_change(said) else ""


def _case(line: Mapping[str, Any]) -> CaseRecord:
    return from_plain(CaseRecord, {key: value for key, value in line.items() if key != "kind"})


def _problem(
    lines: list[Mapping[str, Any]],
    cases: tuple[CaseRecord, ...],
    *,
    code: int | None,
    output: str,
    seconds: float,
) -> str:
    """Why the run failed, if no test of it says so."""
    if code is None:
        return f"It did not end within {seconds:.0f} s."
    end = next((line for line in lines if line.get("kind") == "ended"), None)
    if end is not None and end.get("message"):
        return f"No browser could be had: {end['message']}"
    if (code == 0 and end is not None) or any(case.outcome == "failed" for case in cases):
        return ""
    if end is None:
        when = f"after {len(cases)} tests" if cases else "before its first test"
    else:
        when = "although no test failed"
    return f"WebdriverIO ended with exit status {code} {when}: {_telling(output)}"


def _telling(output: str) -> str:
    """The line of what was printed that says most: a cause, the first error, or the last line."""
    lines = [_FRONT.sub("", line.strip()) for line in output.splitlines() if line.strip()]
    causes = (_CAUSE.sub("", line) for line in lines if _CAUSE.search(line))
    errors = (line for line in lines if _ERROR.search(line) and not line.startswith("Warning: "))
    return next(chain(causes, errors, reversed(lines)), "it printed nothing")


def _objects(path: Path) -> Iterator[Mapping[str, Any]]:
    """A file that ends in the middle of a line is from a run that was ended."""
    for line in _text(path).splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _text(path: Path) -> str:
    """What is in a file; nothing if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
