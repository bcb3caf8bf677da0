"""Find the cause of a failed bake in its output: a sentence, and the lines that show it.

The output is Packer's, around that of apt and dpkg on the machine that was baked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labctl.images.jitsi import parse_signature_problem

TAIL_LINES = 12
SCRIPT_LINES = 25
"""The most lines of a maintainer script's output that are shown."""

# What `-timestamp-ui` and Packer put before each line of a step.
PACKER_PREFIX = re.compile(r"^\d{4}-\d\d-\d\dT[\d:]+Z: +(?:==> )?(?:docker\.role: ?)?")

_SCRIPT = re.compile(r"(?:installed|new|old) (\S+) package (\S+) script subprocess (.*)")
_PROCESSING = re.compile(
    r"dpkg: error processing (?:package|archive) (\S+) \((--\w+)\):?|"
    r"^Errors were encountered while processing:"
)
_STEP = re.compile(r"^(?:Setting up|Unpacking|Preparing to unpack) (\S+)")
_UNMET = re.compile(r"^ +(\S+) : (?:Pre)?(?:Depends|Conflicts|Breaks|-?Depends):? ?.*")
_MISSING = re.compile(r"^E: (?:Unable to locate package (\S+)|Version '(\S+)' for '(\S+)' was not)")
_DAMAGED = re.compile(r"Hash Sum mismatch|File has unexpected size|Undetermined Error.*\.deb")
_CHECKED = re.compile(r"^package '(\S+)' is ")


@dataclass(frozen=True, slots=True)
class BakeFailure:
    """Why a bake failed; `package` is the one at fault, None if no package is."""

    message: str
    lines: tuple[str, ...]
    package: str | None = None


def parse_failure(output: str) -> BakeFailure:
    """The cause of a failed bake; the most specific cause is looked for first."""
    lines = own_lines(output)
    tail = tuple(lines[-TAIL_LINES:])
    return (
        _failed_script(lines)
        or _unmet_dependency(lines)
        or _missing_version(lines)
        or _damaged_download(lines)
        or _signature(lines)
        or _failed_check(lines)
        or BakeFailure("", tail)
    )


def own_lines(output: str) -> list[str]:
    """The lines of the step that failed, without Packer's own lines."""
    lines = [PACKER_PREFIX.sub("", line).rstrip() for line in output.splitlines()]
    for index, line in enumerate(lines):
        if line.startswith(("Provisioning step had errors", 'Step "', "Build '")):
            lines = lines[:index]
            break
    return [line for line in lines if line.strip()]


def _failed_script(lines: Sequence[str]) -> BakeFailure | None:
    """A maintainer script that failed; its output comes before dpkg's message."""
    for index, line in enumerate(lines):
        match = _SCRIPT.search(line)
        if match is None:
            continue
        package, script, how = match.groups()
        package = package.partition(":")[0]
        begin = _begin_of(lines[:index], package)
        shown = lines[begin : index + 1][-SCRIPT_LINES:]
        how = re.sub(r"^returned error exit status", "ended with exit status", how)
        return BakeFailure(
            f"the {script} script of '{package}' {how}.", tuple(shown), package=package
        )
    return None


def _begin_of(lines: Sequence[str], package: str) -> int:
    for index in range(len(lines) - 1, -1, -1):
        match = _STEP.match(lines[index])
        if match and match[1].partition(":")[0] == package:
            return index
    return max(0, len(lines) - SCRIPT_LINES)


def _unmet_dependency(lines: Sequence[str]) -> BakeFailure | None:
    found = [(match[1], line) for line in lines if (match := _UNMET.match(line))]
    if not found:
        return None
    package = found[0][0]
    return BakeFailure(
        f"apt cannot satisfy what '{package}' depends on.",
        tuple(line for _, line in found[:TAIL_LINES]),
        package=package,
    )


def _missing_version(lines: Sequence[str]) -> BakeFailure | None:
    """A version that has gone: the repository has changed since the look-up; no package's fault."""
    for line in lines:
        match = _MISSING.match(line)
        if match:
            package = match[1] or match[3]
            version = f" in version '{match[2]}'" if match[2] else ""
            again = "run 'labctl build --refresh' to ask the repositories again"
            return BakeFailure(f"apt finds no '{package}'{version}; {again}.", (line,))
    return None


def _damaged_download(lines: Sequence[str]) -> BakeFailure | None:
    found = [line for line in lines if _DAMAGED.search(line)]
    if not found:
        return None
    at = lines.index(found[0])
    shown = tuple(lines[max(0, at - 1) : at + TAIL_LINES])
    return BakeFailure("a downloaded package is damaged or cut off; try again.", shown)


def _signature(lines: Sequence[str]) -> BakeFailure | None:
    found = [line for line in lines if re.match(r"(?:W|E|Err|Warning|Error):", line)]
    problem = parse_signature_problem("\n".join(found))
    if problem is None:
        return None
    return BakeFailure(f"a repository cannot be trusted: {problem}.", tuple(found[-TAIL_LINES:]))


def _failed_check(lines: Sequence[str]) -> BakeFailure | None:
    """What check.sh found wrong with an image after its packages were installed."""
    found = [line.removeprefix("check: ") for line in lines if line.startswith("check: ")]
    if not found:
        return None
    match = _CHECKED.match(found[0])
    package = match[1] if match else None
    return BakeFailure(f"{'; '.join(found)}.", tuple(lines[-TAIL_LINES:]), package)
