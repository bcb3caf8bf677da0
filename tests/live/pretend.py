"""A program for a terminal: `labctl watch` on a lab that was made up.

python -m tests.live.pretend THEME [fine|broken]
"""

from __future__ import annotations

import sys

from labctl.cli.watchapp import Visit, WatchApp, choose_theme
from tests.live.make import FakeSource, make_broken, make_snapshot


def go(what: Visit, node: str) -> None:
    sys.stdout.write(f"here is the {what} of {node}\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main(theme: str, kind: str = "fine") -> None:
    snapshot = make_broken() if kind == "broken" else make_snapshot()
    WatchApp(FakeSource([snapshot]), go=go, theme=choose_theme(theme, environment={})).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
