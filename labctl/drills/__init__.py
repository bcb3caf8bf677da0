"""Drills: a lab is broken on purpose, watched, mended, and the outcome compared with upstream's.

A drill is data (`model.Drill`); `run_drill` carries it out and returns a `DrillResult`.
"""

from labctl.drills.catalogue import DRILLS, want_drills
from labctl.drills.heal import ensure_healthy
from labctl.drills.journal import undo_left
from labctl.drills.model import Drill, DrillResult, Verdict
from labctl.drills.result import render_drill, render_result, result_to_json
from labctl.drills.run import run_drill

__all__ = [
    "DRILLS",
    "Drill",
    "DrillResult",
    "Verdict",
    "ensure_healthy",
    "render_drill",
    "render_result",
    "result_to_json",
    "run_drill",
    "undo_left",
    "want_drills",
]
