"""Start of the stand-in bridge: `python3 /usr/share/labctl-standin/jitsi-videobridge2`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import hocon

DEFAULT_CONFIG = Path("/etc/jitsi/videobridge/jvb.conf")


def main() -> int:
    """Run until a signal or a shutdown request; gives the exit status."""
    path = hocon.config_path(os.environ.get("JAVA_SYS_PROPS", ""), DEFAULT_CONFIG)
    reading = hocon.start_reading(path)  # ruby works while Python imports
    import run

    return run.run(path, reading)


if __name__ == "__main__":
    sys.exit(main())
