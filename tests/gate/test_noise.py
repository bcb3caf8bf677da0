"""Never a false red, and never blind: many simulated gates on machines that others use, too."""

from __future__ import annotations

from collections import Counter

import pytest

from labctl.gate.compare import judge_gate
from labctl.gate.model import GateVerdict
from labctl.gate.pairing import try_in_turn
from tests.gate.simulated import simulated_sides

GATES = 150


def words(kind: str, *, slower: float = 0.0, gates: int = GATES) -> Counter[GateVerdict]:
    found: Counter[GateVerdict] = Counter()
    for seed in range(gates):
        baseline, candidate = simulated_sides(kind, seed, slower=slower)
        try_in_turn((baseline, candidate), runs=3)
        found[judge_gate(candidate.found.done(), baseline.found.done()).word] += 1
    return found


@pytest.mark.parametrize("kind", ["quiet", "steady", "bursts", "rising", "heavy"])
def test_the_same_packages_never_fail(kind: str) -> None:
    assert words(kind)[GateVerdict.FAIL] == 0


@pytest.mark.parametrize("kind", ["quiet", "steady", "bursts", "rising", "heavy"])
def test_a_bridge_two_seconds_slower(kind: str) -> None:
    found = words(kind, slower=2.0)
    assert found[GateVerdict.FAIL] >= GATES * 19 // 20, found
