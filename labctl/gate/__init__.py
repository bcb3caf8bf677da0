"""The gate: says yes or no to a candidate set of packages, alone or compared with a baseline.

`side` tries one set in a lab of its own, `compare` compares the result with what is wanted (and
with the baseline), `report` renders.  Only `side` and `blame` touch a lab."""

from labctl.gate.compare import judge_gate
from labctl.gate.model import Gate, GateFinding, GateVerdict, Severity, Side
from labctl.gate.report import render_junit, render_text
from labctl.gate.run import GatePlan, GateRun, run_gate

__all__ = [
    "Gate",
    "GateFinding",
    "GatePlan",
    "GateRun",
    "GateVerdict",
    "Severity",
    "Side",
    "judge_gate",
    "render_junit",
    "render_text",
    "run_gate",
]
