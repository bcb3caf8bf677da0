"""What `labctl doctor --fix` does, and the sentences that say what it changed."""

from __future__ import annotations

from collections.abc import Iterable

from labctl.core.checks import Check, Fix
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.privilege import run_as_root
from labctl.core.progress import Progress
from labctl.host.install import missing_needs, read_version
from labctl.lab.machines import ensure_provider
from labctl.lab.up import READY_SECONDS
from labctl.providers.table import provider_of
from labctl.providers.vagrant import RUNNING, VagrantMachines
from labctl.ready import wait_ready
from labctl.topology.lab import Lab
from labctl.topology.spec import ProviderName
from provision.outcome import NodeOutcome
from provision.run import provision

STARTED = (
    (Finding.ENGINE_STOPPED, "the Docker engine was started"),
    (Finding.LIBVIRT_STOPPED, "libvirt's daemon was started"),
)
"""Findings that `ensure_provider` cures, and what that changes."""


def cure_machine(
    provider: ProviderName, checks: Iterable[Check], *, progress: Progress
) -> list[str]:
    """Cure what was found on this machine, as far as a command can; says what was changed.

    Errors: LabError if something that is missing cannot be installed or started.
    """
    found = list(checks)
    changed = [said for check in found if check.fix and (said := apply(check.fix, progress))]
    missing = missing_needs(provider_of(provider).needs)
    ensure_provider(provider, progress=progress)
    changed += [
        f"'{need.name}' was installed: {read_version(need)}"
        for need in missing
        if need.find() is not None
    ]
    before = {check.finding for check in found}
    return changed + [said for finding, said in STARTED if finding in before]


def apply(fix: Fix, progress: Progress) -> str | None:
    """Run a cure's command; says what it changed, or nothing if it failed or root is not there."""
    progress("fix", f"{fix.hint} ...")
    try:
        run_as_root(fix.argv, what=f"'{fix.argv[0]}'", timeout=120)
    except LabError as error:
        progress("fix", f"not cured: {error.message}")
        return None
    return fix.changes


def cure_lab(lab: Lab, *, progress: Progress) -> list[str]:
    """Start a lab's machines and place labctl's own files again; says what was changed.

    Images, settings and addresses stay as they are.  Errors: LabError of the phase that failed.
    """
    machines = VagrantMachines(lab)
    stopped = [name for name, state in machines.states().items() if state != RUNNING]
    machines.up(progress=progress)
    outcome = provision(lab, progress=progress, log=lab.folder.logs / "provision.log")
    wait_ready(lab, seconds=READY_SECONDS, progress=progress)
    return [
        *(f"node '{name}' was started" for name in stopped),
        *(said for name, node in outcome.nodes.items() for said in describe(name, node)),
    ]


def describe(name: str, node: NodeOutcome) -> list[str]:
    """What was changed on a node: each file, and the rest in a line."""
    files = [f"'{path}' on '{name}' was placed again" for path in node.changed]
    files += [f"'{path}' on '{name}' was removed" for path in node.removed]
    return files if node.empty else [*files, f"node '{name}': {node}"]
