"""How much longer than on a fast machine this run may wait for nodes; labctl says it."""

from __future__ import annotations

import math
import os


def scaled(seconds: int) -> int:
    """Seconds times LABCTL_PATIENCE, in whole ones, rounded up."""
    return math.ceil(seconds * float(os.environ.get("LABCTL_PATIENCE", "1")))
