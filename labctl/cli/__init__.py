"""The command line.  Only this package prints, and only it exits."""

from labctl.cli.main import main

__all__ = ["main"]
