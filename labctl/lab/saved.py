"""What a lab remembers of its last `up`: the plain data of its spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

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
