"""What a bisection came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, read_document
from labctl.gate.search import TrialOutcome
from labctl.gate.trials import Symptom, Trial, Trials


class Answer(StrEnum):
    """What a bisection came to."""

    FOUND = "found"
    TOGETHER = "only together"
    NOT_BAD = "not bad"
    UNCLEAR = "could not judge"

    @property
    def exit_code(self) -> int:
        return {Answer.FOUND: 0, Answer.TOGETHER: 0, Answer.NOT_BAD: 1, Answer.UNCLEAR: 3}[self]


@dataclass(frozen=True, slots=True)
class BisectResult:
    """The answer, in words too, and every trial behind it.

    `culprits` are packages, each with its good and its bad version, in sets that are bad by
    themselves; for versions it is the last good and the first bad one.  `symptoms` are those by
    which the bad set was bad."""

    answer: Answer
    says: str
    culprits: tuple[Mapping[str, tuple[str, str]], ...] = ()
    notes: tuple[str, ...] = ()
    symptoms: tuple[Symptom, ...] = ()
    trials: tuple[Trial, ...] = ()
    folder: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data for programs; docs/gate.md describes it."""
        return {
            "format": BISECT.format, **to_plain(self), "exit_code": self.answer.exit_code
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: object) -> BisectResult:
        """The result that `to_json` wrote.  Errors: StateError."""
        return read_document(data, BISECT, name="bisect.json")


BISECT: StateKind[BisectResult] = StateKind(format=1, parse=partial(from_plain, BisectResult))


def make_result(
    trials: Trials,
    answer: Answer,
    says: str,
    *,
    culprits: Sequence[Mapping[str, tuple[str, str]]] = (),
    notes: Sequence[str] = (),
) -> BisectResult:
    impossible = [
        f"not tried: {each.what}: {each.reason}"
        for each in trials.trials.values()
        if each.outcome is TrialOutcome.IMPOSSIBLE
    ]
    return BisectResult(
        answer,
        says,
        tuple(culprits),
        (*notes, *impossible),
        tuple(sorted(trials.symptoms)),
        tuple(trials.trials.values()),
        str(trials.folder),
    )


def not_bad(trials: Trials, what: str, outcome: TrialOutcome) -> BisectResult:
    """The result if what should be bad is not."""
    reason = next(each.reason for each in trials.trials.values() if each.what == what)
    if outcome is TrialOutcome.GOOD:
        return make_result(trials, Answer.NOT_BAD, f"{what} is not bad here: {reason}")
    return make_result(trials, Answer.UNCLEAR, f"{what} {outcome}: {reason}")
