"""Stand-ins as files, with a bridge that differs by a line: packages for a gate or a bake."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def build_stand_ins(folder: Path, *, line: str = "") -> Path:
    """Build them below `folder`; the bridge runs `line` before it starts.  The packages' folder."""
    sources, debs = folder / "standins", folder / "debs"
    shutil.copytree(ROOT / "standins", sources)
    if line:
        bridge = sources / "jitsi-videobridge2/root/usr/share/jitsi-videobridge/jvb.sh"
        first, _, rest = bridge.read_text().partition("\n")
        bridge.write_text(f"{first}\n{line}\n{rest}")
    subprocess.run([sources / "build", debs], check=True, stdout=subprocess.DEVNULL)
    return debs
