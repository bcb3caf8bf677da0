"""Read Prosody's configuration, as `collect.lua` printed it on the node."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labctl.core.errors import LabError
from labctl.drift.sections import Sections, flatten

SCRIPT = Path(__file__).with_name("collect.lua")
GLOBAL = "global"
ORDERED = ("plugin_paths",)
"""Options whose order matters; Prosody treats other lists of names as sets."""


def parse_sections(line: str, *, source: str) -> Sections:
    """A section per host, from one line of the script's JSON; the global options come as `global`.

    A host's `(kind)` is `VirtualHost`, or `Component` with its module.  Errors: LabError that
    names `source` if the line is not JSON.
    """
    try:
        hosts: Mapping[str, Any] = json.loads(line)
    except ValueError as error:
        raise LabError(
            f"{source} could not be read as Prosody's configuration: {error}."
        ) from error
    return {
        (GLOBAL if host == "*" else host,): flatten(options, ordered=ORDERED)
        for host, options in (hosts.items() if isinstance(hosts, dict) else ())
    }
