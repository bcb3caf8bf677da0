"""A suite's results as HTML: a page of their own, and a part of the report of a lab."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path

from labctl.report.e2e import E2eRecord, SpecRecord
from labctl.report.page import SPEC_WORDS, TONES, page_environment

MOST_PICTURES = 24
"""In a page: each is a few dozen kilobytes, and a suite that fails wholly has hundreds."""


def render_e2e_page(record: E2eRecord, *, pictures: Mapping[str, str]) -> str:
    """The whole page; every text in it is escaped.  `pictures` are data URLs by path."""
    look = "failed" if record.bad else "passed" if record.well else "incomplete"
    return (
        page_environment()
        .get_template("e2e.html.j2")
        .render(
            e2e=record,
            spec_words=SPEC_WORDS,
            look="incomplete" if record.interrupted and not record.bad else look,
            pictures=pictures,
            tones=tones_of(record.specs),
        )
    )


def tones_of(specs: Iterable[SpecRecord]) -> dict[str, int]:
    """A colour for each node that logged something."""
    found = (spec.excerpt for spec in specs if spec.excerpt is not None)
    names = sorted({line.node for it in found for line in (*it.lines, *it.before)})
    return {name: index % TONES for index, name in enumerate(names)}


def read_pictures(record: E2eRecord, folder: Path) -> dict[str, str]:
    """The pictures of each spec's first failure as data URLs; `folder` is that of e2e.json."""
    failures = [spec.failure for spec in record.specs if spec.failure is not None]
    names = [name for failure in failures for name in failure.pictures]
    found = {}
    for name in names[:MOST_PICTURES]:
        path = folder / name
        # The name is from a file: it must not lead anywhere else.
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
            data = base64.b64encode(path.read_bytes()).decode("ascii")
            found[name] = f"data:image/png;base64,{data}"
    return found
