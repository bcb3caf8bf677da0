"""The programs that run a suite: Node.js, Chromium and its driver; Debian's, or the user's own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError, UsageError
from labctl.e2e.suite import WDIO, Suite
from labctl.host.install import install_hint, missing_needs, parse_version
from labctl.host.needs import BROWSER, WEBDRIVER

VERSION_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of the programs, and their versions by name."""

    node: str
    chromium: str
    chromedriver: str
    versions: Mapping[str, str]


def want_programs(
    suite: Suite, *, chromium: Path | None = None, chromedriver: Path | None = None
) -> Programs:
    """Everything that a suite needs of this machine; the user's own browser and driver, if named.

    Errors: UsageError for a named program that is not there; LabError for programs that are missing
    (all at once), too old, or do not fit together, and for a suite whose packages are missing.
    """
    own = {"chromium": chromium, "chromedriver": chromedriver}
    for name, path in own.items():
        if path is not None and not path.is_file():
            raise UsageError(f"'--{name} {path}' is not a file.")
    missing = missing_needs(need for need in (*WEBDRIVER, *BROWSER) if own.get(need.name) is None)
    if missing:
        names = " and ".join(f"'{need.name}'" for need in missing)
        raise LabError(
            f"An end-to-end suite needs {names}, which this machine lacks.",
            hint=f"Run: {install_hint(missing)}",
        )
    if not suite.wdio.is_file():
        raise LabError(
            f"The packages of the suite in '{suite.package}' are not installed.",
            hint=f"Run: cd {process.shell_line([suite.package])} && npm ci",
        )
    paths = {need.name: own.get(need.name) or need.find() for need in (*WEBDRIVER, *BROWSER)}
    found = {name: str(path) for name, path in paths.items()}
    versions = {name: _version(found[name]) for name in ("node", "chromium", "chromedriver")}
    versions["webdriverio"] = _want_node(suite, versions["node"])
    _want_pair(versions["chromium"], versions["chromedriver"])
    return Programs(found["node"], found["chromium"], found["chromedriver"], versions)


def _version(program: str) -> str:
    return parse_version(process.run([program, "--version"], timeout=VERSION_SECONDS).output)


def _want_node(suite: Suite, node: str) -> str:
    """WebdriverIO's version.  Errors: LabError if this Node.js is too old for it."""
    data = json.loads((suite.package / WDIO / "package.json").read_text(encoding="utf-8"))
    version = str(data.get("version", ""))
    least = re.search(r">=\s*v?(\d[\d.]*)", str(data.get("engines", {}).get("node", "")))
    if least is not None and _numbers(node) < _numbers(least[1]):
        raise LabError(
            f"WebdriverIO {version} needs Node.js {least[1]} or newer, this machine has {node}.",
            hint="Install a newer Node.js, and run 'npm ci' in the suite's folder again.",
        )
    return version


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _want_pair(chromium: str, chromedriver: str) -> None:
    """A driver drives the Chromium of its own major version only."""
    if _numbers(chromium)[:1] != _numbers(chromedriver)[:1]:
        raise LabError(
            f"Chromium {chromium} and chromedriver {chromedriver} do not fit together.",
            hint="Install both from one source, or name a fitting pair with '--chromium' and"
            " '--chromedriver'.",
        )
