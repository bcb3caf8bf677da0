"""Which packages make a bad set bad: one of the set is exchanged at a time."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.gate.bisected import Answer, BisectResult, make_result
from labctl.gate.exchange import Exchange
from labctl.gate.search import Suspects, TrialOutcome, find_suspects
from labctl.gate.trials import Trials


def find_in_sets(exchange: Exchange, trials: Trials) -> BisectResult:
    """The packages that make the bad set bad, which was tried already."""

    def test(names: frozenset[str]) -> TrialOutcome:
        if len(names) == len(exchange.names):
            return TrialOutcome.BAD
        what = f"the good set with {_and(sorted(names))} of the bad one"
        return trials.test(exchange.mixed(names), what=what)

    suspects = find_suspects(exchange.names, test, closure=exchange.closure)
    culprits = [{name: exchange.versions(name) for name in sorted(each)} for each in suspects.sets]
    answer, says = _words(suspects, exchange)
    notes = []
    if suspects.unsure:
        notes.append(
            f"whether {_and(sorted(suspects.unsure))} must be part of it could not be tried"
        )
    return make_result(trials, answer, says, culprits=culprits, notes=notes)


def _words(suspects: Suspects, exchange: Exchange) -> tuple[Answer, str]:
    texts = []
    for each in suspects.sets:
        names = sorted(each)
        changed = [f"'{name}' ({' -> '.join(exchange.versions(name))})" for name in names]
        if len(each) == 1:
            texts.append(f"{changed[0]} is bad")
        elif suspects.unsure & each:
            texts.append(f"{' and '.join(changed)} are bad, and could not be told apart")
        else:
            texts.append(f"{' and '.join(changed)} are bad only together")
    single = any(len(each) == 1 for each in suspects.sets)
    return Answer.FOUND if single else Answer.TOGETHER, "; ".join(texts)


def _and(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
