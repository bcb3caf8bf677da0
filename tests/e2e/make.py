"""Suites to read, and records of suites that have run."""

from __future__ import annotations

from pathlib import Path

from labctl.report.e2e import (
    AttemptRecord,
    CaseOutcome,
    CaseRecord,
    E2eRecord,
    SpecOutcome,
    SpecRecord,
)
from tests.report.make import START

TWO = "setTestProperties(__filename, {\n    usesBrowsers: [ 'p1', 'p2' ]\n});\n"
SPECS = {
    "ui/preJoin": TWO,
    "ui/chatPanel": "describe('chat', () => {});\n",
    "media/lastN": TWO.replace("'p2'", "'p2', 'p3', 'p4'"),
    "jaas/chat": "setTestProperties(__filename, { useJaas: true });\n",
}
PASSED, FAILED, SKIPPED = CaseOutcome.PASSED, CaseOutcome.FAILED, CaseOutcome.SKIPPED
PNG = b"\x89PNG\r\n\x1a\n"


def write_checkout(root: Path, *, own_package: bool = False, installed: bool = True) -> Path:
    """A checkout whose suite is a package of its own, or part of the whole."""
    tests = root / "tests"
    for name, text in SPECS.items():
        path = tests / "specs" / f"{name}.spec.ts"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tests / "specs" / "ui" / "util.ts").write_text("export const usesBrowsers = [ 'p1' ];\n")
    (tests / "wdio.conf.ts").write_text("export const config = {};\n")
    wanted = '{"devDependencies": {"@wdio/cli": "9.27.0"}}'
    (root / "package.json").write_text("{}" if own_package else wanted)
    package = tests if own_package else root
    if own_package:
        (tests / "package.json").write_text(wanted)
    if installed:
        install(package)
    return root


def install(package: Path, *, node: str = ">=18.20.0") -> None:
    """WebdriverIO in the package's folder, as `npm ci` leaves it."""
    folder = package / "node_modules" / "@wdio" / "cli"
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    (folder / "bin" / "wdio.js").write_text("")
    text = f'{{"version": "9.27.0", "engines": {{"node": "{node}"}}}}'
    (folder / "package.json").write_text(text)


def attempt(
    *cases: CaseRecord, at: float = START, problem: str = "", files: tuple[str, ...] = ()
) -> AttemptRecord:
    return AttemptRecord(at, at + 10.0, cases, problem, files)


def case(
    title: str, outcome: CaseOutcome = PASSED, message: str = "", **more: object
) -> CaseRecord:
    return CaseRecord(title, outcome, 1.5, message=message, **more)  # type: ignore[arg-type]


def record_of(*specs: SpecRecord, **changes: object) -> E2eRecord:
    """A record of these specs, or of one of each outcome."""
    broken = case("Chat: opens", FAILED, "no <button>\nsecond line", detail="at some.Where")
    picture = ("e2e/ui/chat/1/p1.png", "e2e/ui/chat/1/wdio.log")
    given = specs or (
        SpecRecord("ui/preJoin", SpecOutcome.PASSED, 2, attempts=(attempt(case("joins")),)),
        SpecRecord(
            "ui/chat",
            SpecOutcome.FAILED,
            1,
            attempts=(attempt(broken, files=picture), attempt(broken, at=START + 20)),
        ),
        SpecRecord(
            "ui/kick",
            SpecOutcome.FLAKY,
            2,
            attempts=(attempt(problem="No browser could be had: x"), attempt(case("kicks"))),
        ),
        SpecRecord(
            "misc/turn", SpecOutcome.SKIPPED, 2, attempts=(attempt(case("relays", SKIPPED)),)
        ),
        SpecRecord("media/lastN", SpecOutcome.NOT_RUN, 4, "opens 4 browsers at once"),
    )
    values = {"lab": "demo", "suite": "/src/jitsi-meet", "began": START, "ended": START + 60}
    return E2eRecord(**{**values, "most_browsers": 2, "specs": given, **changes})  # type: ignore[arg-type]
