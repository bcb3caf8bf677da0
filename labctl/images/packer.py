"""The `packer` command: its version, a build of one source, and what failed in it.

The templates and scripts are in `packer/`.  Packer 1.6 (Debian 12) has its builders built in;
later versions fetch pinned plugins first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError, PackageError
from labctl.images.bakeinput import PLACEHOLDER_HOST, BakeInput
from labctl.images.bakelog import parse_failure
from labctl.topology.spec import Role
from labctl.topology.workdir import ROOT

TEMPLATES = ROOT / "packer"
BUILT_IN = TEMPLATES / "entry" / "built-in"
"""Entry point for a Packer that has its builders built in (1.6)."""

PLUGINS = TEMPLATES / "entry" / "plugins"
"""The same definitions, with the plugins that later versions need."""

BAKE_SECONDS = 1200.0
MISSING_HINT = (
    "On Debian 12: 'apt install packer'. Debian 13 does not have it: take it from HashiCorp's"
    " repository, https://developer.hashicorp.com/packer/install."
)
STEPS: Mapping[str, str] = {
    "Waiting for SSH to become available": "waiting until the machine is up",
    "scripts/install.sh": "installing packages",
    "scripts/clean.sh": "cleaning up",
    "scripts/finish.sh": "giving free space back",
    "Gracefully halting virtual machine": "shutting the machine down",
}
"""What Packer prints when a step begins -> what is shown for it; short steps are left out."""

# By default Packer asks its maker for updates and colours its output.
QUIET: Mapping[str, str] = {"CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1"}


def parse_version(text: str) -> tuple[int, int]:
    """The major and minor version in the output of `packer version`."""
    match = re.search(r"Packer v(\d+)\.(\d+)", text)
    if match is None:
        raise LabError(f"'packer version' printed '{text.strip()}', which is not a version.")
    return int(match[1]), int(match[2])


def check_packer() -> tuple[int, int]:
    """Packer's version.  Errors: LabError with advice if Packer is not installed."""
    return parse_version(
        process.run(["packer", "version"], env=QUIET, hint=MISSING_HINT, timeout=20).output
    )


def entry_point(version: tuple[int, int]) -> Path:
    """The folder of templates for this version of Packer."""
    return PLUGINS if version >= (1, 7) else BUILT_IN


def output(scratch: Path) -> Path:
    """The folder of a bake's results below its scratch folder."""
    return scratch / "output"


def common_variables(given: BakeInput, *, scratch: Path) -> dict[str, str]:
    """Values for `packer/variables.pkr.hcl` that every source needs."""
    return {
        "role": str(given.role),
        "input": str(scratch / "input"),
        "output": str(output(scratch)),
        "placeholder_host": PLACEHOLDER_HOST,
        "prosody_at_least": given.release.prosody_at_least,
    }


def build(
    source: str,
    variables: Mapping[str, str],
    *,
    scratch: Path,
    log: Path,
    keep: bool,
    tell: Callable[[str], object] = lambda step: None,
    seconds: float = BAKE_SECONDS,
) -> process.Result:
    """Build one source, such as 'docker.role'; the caller checks the exit status.

    With `keep`, the machine of a failed build is left as it was, so that the caller can look at
    it.  `tell` is called with each step as it begins.
    """

    def on_line(line: str) -> None:
        if step := parse_step(line):
            tell(step)

    entry = entry_point(check_packer())
    output(scratch).mkdir()
    file = scratch / "bake.pkrvars.json"
    file.write_text(json.dumps(variables), encoding="utf-8")
    if entry == PLUGINS:
        process.run(["packer", "init", entry], env=QUIET, log=log, timeout=seconds)
    command: list[str | Path] = [
        # If labctl is killed, Packer ends cleanly and removes its machine.
        *("setpriv", "--pdeathsig", "TERM"),
        "packer",
        "build",
        "-color=false",
        "-timestamp-ui",
        f"-only={source}",
        f"-on-error={'abort' if keep else 'cleanup'}",
        f"-var-file={file}",
    ]
    # Nothing in Packer's cache is needed again.
    quiet = {**QUIET, "PACKER_CACHE_DIR": str(scratch / "cache")}
    return process.run(
        [*command, entry], env=quiet, log=log, on_line=on_line, timeout=seconds, check=False
    )


def parse_step(line: str) -> str | None:
    """The step that begins with this line of Packer's output; None if none does."""
    return next((step for words, step in STEPS.items() if words in line), None)


def bake_error(role: Role, result: process.Result, *, log: Path) -> LabError:
    """The error for a failed bake; a PackageError if a package is at fault."""
    failure = parse_failure(result.output)
    shown = "".join(f"\n    {line}" for line in failure.lines)
    cause = f" failed: {failure.message}" if failure.message else " failed."
    message = f"Baking the image of '{role}'{cause}{shown}"
    # On a full disk any script fails; that is not the fault of its package.
    if failure.package is None or "No space left on device" in result.output:
        return process.ProcessError(message, log=log)
    error = PackageError(message, log=log)
    error.package = failure.package
    return error


def load_installed(scratch: Path) -> dict[str, str]:
    """The versions of all packages in the baked image."""
    return parse_installed((output(scratch) / "installed").read_text(encoding="utf-8"))


def parse_installed(text: str) -> dict[str, str]:
    """Package names and versions, one pair a line, separated by a tab."""
    return dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)
