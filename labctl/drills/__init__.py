"""Drills break a lab on purpose, watch it, repair it, and compare what happened with upstream.

A drill is data (`model.Drill`); `run_drill` carries it out and returns a `DrillResult`.
"""

from labctl.drills.catalogue import DRILLS, want_drills
from labctl.drills.findings import DrillResult
from labctl.drills.heal import ensure_healthy
from labctl.drills.journal import undo_left
from labctl.drills.model import Drill
from labctl.drills.result import record_of, render_drill, render_result
from labctl.drills.run import run_drill
from labctl.report.drill import DrillVerdict

__all__ = [
    "DRILLS",
    "Drill",
    "DrillResult",
    "DrillVerdict",
    "ensure_healthy",
    "record_of",
    "render_drill",
    "render_result",
    "run_drill",
    "undo_left",
    "want_drills",
]
