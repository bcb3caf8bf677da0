"""Where the units' logs are, from the table of roles.  Pure data, no I/O."""

from __future__ import annotations

from labctl.topology.roles import all_units


def shared_log_folders() -> frozenset[str]:
    """Folders that hold the logs of several units; a file's name there says whose it is."""
    folders = [
        folder
        for unit in all_units()
        for folder in {pattern.rpartition("/")[0] for pattern in unit.logs}
    ]
    return frozenset(folder for folder in folders if folders.count(folder) > 1)
