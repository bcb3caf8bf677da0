"""Makes the modules of the Python stand-ins importable; import this before any of them."""

from __future__ import annotations

import sys
from pathlib import Path

STANDINS = Path(__file__).resolve().parents[2] / "standins"
SHARE = "root/usr/share/labctl-standin"

for folder in (
    STANDINS / "common",
    STANDINS / "jicofo" / SHARE / "jicofo",
    STANDINS / "jitsi-videobridge2" / SHARE / "jitsi-videobridge2",
):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
