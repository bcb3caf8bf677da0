"""Whether this machine can open a browser: Chromium, NSS's certutil and Playwright.

Nothing is installed here: a lab works without browsers.  If you use them, you are told all the
commands at once.
"""

from __future__ import annotations

import importlib.util
import sys

from labctl.core.errors import LabError
from labctl.core.process import shell_line
from labctl.host.install import install_hint, missing_needs
from labctl.host.needs import BROWSER
from labctl.topology.places import ROOT

PLAYWRIGHT_LOCK = ROOT / "requirements-browser.lock"


class BrowserError(LabError):
    """A browser could not be opened, or what was asked of it did not happen."""


def has_playwright() -> bool:
    return importlib.util.find_spec("playwright") is not None


def playwright_line() -> str:
    """The command that installs Playwright (without a browser) next to labctl's packages."""
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--require-hashes"]
    return shell_line([*pip, "-r", PLAYWRIGHT_LOCK])


def want_browser() -> str:
    """The path of Chromium.  Errors: BrowserError with everything that is missing."""
    missing = missing_needs(BROWSER)
    lacking = [f"'{need.name}'" for need in missing]
    commands = [install_hint(missing)] if missing else []
    if not has_playwright():
        lacking.append("the Python package 'playwright'")
        commands.append(playwright_line())
    if lacking:
        raise BrowserError(
            f"Participants in a browser need {' and '.join(lacking)}, which this machine lacks.",
            hint=f"Run: {' && '.join(commands)}",
        )
    return str(BROWSER[0].find())
