"""Start of the stand-in for Jicofo: `python3 /usr/share/labctl-standin/jicofo`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hocon

DEFAULT_CONFIG = Path("/etc/jitsi/jicofo/jicofo.conf")


def main() -> int:
    """Run until a signal; gives the exit status."""
    path = hocon.config_path(os.environ.get("JAVA_SYS_PROPS", ""), DEFAULT_CONFIG)
    if not path.exists():
        return 2
    reading = hocon.start_reading(path)  # ruby works while Python imports
    import run

    return run.run(path, reading)


if __name__ == "__main__":
    sys.exit(main())
