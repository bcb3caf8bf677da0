"""The gate: one candidate set of packages, perhaps against a baseline, and a yes or a no.

`side` tries one set in a lab of its own, `compare` holds what came of it against what is wanted
(and against the baseline), `report` renders.  Only `side` and `blame` touch a lab.
"""

from labctl.gate.compare import judge
from labctl.gate.model import Finding, Gate, Severity, Side, Word
from labctl.gate.report import render_junit, render_text
from labctl.gate.run import Plan, run_gate

__all__ = [
    "Finding",
    "Gate",
    "Plan",
    "Severity",
    "Side",
    "Word",
    "judge",
    "render_junit",
    "render_text",
    "run_gate",
]
