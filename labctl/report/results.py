"""Reads what the suite's plugin wrote: one JSON line per thing that happened."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from labctl.core.plain import from_plain
from labctl.report.model import Run, Test


def load_run(path: Path) -> Run:
    """The run that a file of results describes; an empty one if there is no file.

    A file that ends in the middle of a line is from a suite that was killed: what comes before that
    line counts."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Run()
    return parse_run(_objects(text.splitlines()))


def parse_run(lines: Iterable[Mapping[str, Any]]) -> Run:
    """A run from the plugin's lines, each a mapping with its `kind`."""
    tests: list[Test] = []
    found: dict[str, Any] = {}
    for line in lines:
        rest = {key: value for key, value in line.items() if key != "kind"}
        match line.get("kind"):
            case "began":
                found["began"] = rest["at"]
            case "chosen":
                found |= {"chosen": rest["count"], "deselected": rest["deselected"]}
            case "test":
                tests.append(from_plain(Test, rest))
            case "ended":
                found |= {"ended": rest["at"], "exit_status": rest["exit_status"]}
    return Run(tests=tuple(tests), **found)


def _objects(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:
            continue
