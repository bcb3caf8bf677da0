"""Whether the kernel has enough instances of inotify for a lab's containers.

systemd takes some in each container, and all containers are one user's for that limit; those that
find none left end at once.  Virtual machines have kernels of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from labctl.core.checks import Check, CheckStatus, Fix
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.lab.fit import nodes_of
from labctl.providers.table import provider_of
from labctl.topology.spec import Spec

LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
EACH = 4
"""Instances that systemd and its helpers have in each node; 177 were seen in 44."""

ENOUGH = 1024
RAISE = Fix(
    ("sysctl", "-w", f"fs.inotify.max_user_instances={ENOUGH}"),
    f"the kernel allows {ENOUGH} instances of inotify to each user until this machine restarts",
)


def refuse_shortage(specs: Iterable[Spec], *, running: int = 0, limit: Path = LIMIT) -> None:
    """Refuse more containers, of all these labs together, than there are instances for.

    So many containers that are `running` are not asked again.  Errors: LabError with the command
    that raises the limit.
    """
    count, allowed = _containers(specs), _allowed(limit)
    if allowed is None or count <= running or EACH * count <= allowed:
        return
    raise LabError(
        f"{count} containers need {EACH * count} instances of inotify, and this machine's kernel"
        f" allows {allowed}.",
        hint=f"{RAISE.hint}.",
        finding=Finding.INOTIFY_FEW,
    )


def check_inotify(spec: Spec, *, limit: Path = LIMIT) -> list[Check]:
    """What doctor says for a lab of containers; nothing for one without, or without a limit."""
    count, allowed = _containers([spec]), _allowed(limit)
    if allowed is None or not count:
        return []
    found = f"{allowed} instances, enough for {allowed // EACH} containers"
    if EACH * count <= allowed:
        return [Check("inotify", CheckStatus.OK, found)]
    found += f" and not for this lab's {count}"
    finding = Finding.INOTIFY_FEW
    return [Check("inotify", CheckStatus.FAIL, found, f"{RAISE.hint}.", finding, RAISE)]


def _containers(specs: Iterable[Spec]) -> int:
    return sum(len(nodes_of(it)) for it in specs if not provider_of(it.provider).own_kernel)


def _allowed(limit: Path) -> int | None:
    return int(limit.read_text(encoding="ascii")) if limit.exists() else None
