"""State files as labctl wrote them before they had formats, or in their first one.

`tests/lab/format-1/` was written by the labctl of those days itself: three labs (`labs/`), what
is kept for all labs (`state/`), and the record of an image (`data/`).  Names, addresses and
secrets in it are made up.
"""

from __future__ import annotations

from pathlib import Path

SAMPLES = Path(__file__).resolve().parent / "lab" / "format-1"
