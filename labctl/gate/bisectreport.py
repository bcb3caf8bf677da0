"""A bisection's result as text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from labctl.gate.bisected import BisectResult

WIDTH = 110
SHOWN_SYMPTOMS = 6


def render_bisect(result: BisectResult) -> str:
    """The answer, what was searched for, every trial, and what is not certain."""
    return "\n".join(_lines(result))


def _lines(result: BisectResult) -> Iterator[str]:
    yield from textwrap.wrap(f"{str(result.answer).upper()}: {result.says}.", WIDTH)
    if result.symptoms:
        yield ""
        yield "It was searched for:"
        yield from (f"  {each}" for each in result.symptoms[:SHOWN_SYMPTOMS])
        if len(result.symptoms) > SHOWN_SYMPTOMS:
            yield f"  ... and {len(result.symptoms) - SHOWN_SYMPTOMS} more in bisect.json"
    yield ""
    yield "Trials:"
    for trial in result.trials:
        text = f"  {trial.outcome:<20}{trial.what} ({trial.seconds:.0f} s)"
        yield text[:WIDTH]
        if trial.reason:
            yield from textwrap.wrap(
                trial.reason, WIDTH, initial_indent=" " * 22, subsequent_indent=" " * 22
            )[:2]
    for note in result.notes:
        yield from textwrap.wrap(f"Note: {note}.", WIDTH, subsequent_indent="      ")
    yield ""
    yield f"Reports: {result.folder}"
