"""What stands in a checkout: the configuration of WebdriverIO, the specs, and what each needs.

A suite is read without being run.  jitsi-meet's specs declare the browsers that they use, in
`setTestProperties` (its tests/helpers/TestProperties.ts); a spec that declares none uses one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path

from labctl.core.errors import UsageError

CONFIGS = ("wdio.conf.ts", "wdio.conf.mts", "wdio.conf.js", "wdio.conf.mjs")
WDIO = Path("node_modules", "@wdio", "cli")
SPEC = re.compile(r"\.spec\.[mc]?[tj]s$")

_BROWSERS = re.compile(r"\busesBrowsers\s*:\s*\[([^\]]*)\]")
_NAME = re.compile(r"""(['"`])[^'"`]+\1""")
_NEEDS = (
    (re.compile(r"\buseJaas\s*:\s*true"), "needs JaaS, which no lab has"),
    (re.compile(r"\brequireWebhookProxy\s*:\s*true"), "needs a webhook proxy, which no lab has"),
)


@dataclass(frozen=True, slots=True)
class SpecFile:
    """One spec: its path below `specs/` without the ending, and how many browsers it opens.

    `reason` says why no lab can run it, if that is so."""

    name: str
    path: Path
    browsers: int = 1
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite: `config` is its configuration, `package` the folder with its `node_modules`."""

    folder: Path
    config: Path
    package: Path
    specs: tuple[SpecFile, ...]

    @property
    def wdio(self) -> Path:
        """The program, for Node.js to run."""
        return self.package / WDIO / "bin" / "wdio.js"


def find_suite(folder: Path) -> Suite:
    """The suite in a checkout of jitsi-meet, or in its folder `tests`.

    Errors: UsageError if there is none.
    """
    folder = folder.resolve()
    places = (folder / "tests", folder)
    configs = (place / name for place in places for name in CONFIGS)
    config = next((path for path in configs if path.is_file()), None)
    if config is None:
        raise UsageError(
            f"'{folder}' holds no WebdriverIO suite: it has no 'tests/{CONFIGS[0]}'.",
            hint="Name a checkout of jitsi-meet, or its folder 'tests'.",
        )
    specs = tuple(_specs(config.parent / "specs"))
    if not specs:
        raise UsageError(f"The suite '{config.parent}' has no specs below 'specs/'.")
    return Suite(folder, config, _package(config), specs)


def _package(config: Path) -> Path:
    """The folder whose packages hold WebdriverIO: newer checkouts have one in `tests/`.

    Of two, the one that is installed."""
    places = (config.parent, config.parent.parent)
    wanted = [place for place in places if "@wdio/cli" in _dependencies(place / "package.json")]
    if not wanted:
        raise UsageError(f"No 'package.json' beside '{config}' or above it asks for '@wdio/cli'.")
    installed = (place for place in wanted if (place / WDIO / "package.json").is_file())
    return next(installed, wanted[0])


def _dependencies(path: Path) -> set[str]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {name for key in ("dependencies", "devDependencies") for name in data.get(key, ())}
    except (OSError, ValueError, AttributeError):
        return set()


def _specs(folder: Path) -> Iterator[SpecFile]:
    for path in sorted(folder.rglob("*")):
        if SPEC.search(path.name) and path.is_file():
            name = SPEC.sub("", path.relative_to(folder).as_posix())
            yield parse_spec(path.read_text(encoding="utf-8", errors="replace"), name, path)


def parse_spec(text: str, name: str, path: Path) -> SpecFile:
    """What a spec declares in its text."""
    declared = _BROWSERS.search(text)
    browsers = len(_NAME.findall(declared[1])) if declared else 0
    reason = next((words for pattern, words in _NEEDS if pattern.search(text)), "")
    return SpecFile(name, path, max(browsers, 1), reason)


def choose_specs(suite: Suite, globs: Sequence[str]) -> tuple[SpecFile, ...]:
    """The specs that any of the patterns matches; all of them without one.

    A pattern is compared with the whole name ('ui/*') and with its last part ('preJoin').
    Errors: UsageError for a pattern that matches nothing.
    """
    if not globs:
        return suite.specs
    for glob in globs:
        if not any(_matches(spec, glob) for spec in suite.specs):
            names = {word for spec in suite.specs for word in (spec.name, Path(spec.name).name)}
            near = get_close_matches(glob, names, n=1)
            raise UsageError(
                f"No spec of the suite matches '{glob}'.",
                hint=f"Did you mean '{near[0]}'?" if near else "Use '--list' to see all specs.",
            )
    return tuple(s for s in suite.specs if any(_matches(s, glob) for glob in globs))


def _matches(spec: SpecFile, glob: str) -> bool:
    pattern = SPEC.sub("", glob)
    for front in ("tests/specs/", "specs/"):
        pattern = pattern.removeprefix(front)
    return fnmatch(spec.name, pattern) or fnmatch(Path(spec.name).name, pattern)
