"""What a lab remembers of its last `up`: the plain data of its spec, and how long it took."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from labctl.progress import Timings
from labctl.workdir import Workdir, write_json


def load_saved(workdir: Workdir) -> dict[str, Any]:
    """The data of the last `up`, empty where there was none or its file is damaged."""
    try:
        data = json.loads((workdir.path / "spec.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def save_spec(workdir: Workdir, data: Mapping[str, Any]) -> None:
    write_json(workdir.path / "spec.json", dict(data))


def save_timings(workdir: Workdir, timings: Timings) -> None:
    """Note how long each phase of an `up` that ended well took, in seconds."""
    phases = {name: round(seconds, 3) for name, seconds in timings.seconds.items()}
    data = {"ended": round(time.time(), 3), "total": round(timings.total, 3), "phases": phases}
    write_json(workdir.path / "timings.json", data)


def load_timings(workdir: Workdir) -> dict[str, Any] | None:
    """What `save_timings` noted last: `ended` (seconds since 1970), `total`, `phases`."""
    try:
        data = json.loads((workdir.path / "timings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) and isinstance(data.get("phases"), dict) else None
