"""Whether a lab fits into this machine's memory, and what would; said before anything is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.progress import NOTICE, Progress
from labctl.providers.table import provider_of
from labctl.topology.hosts import is_here
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.layout import resolve
from labctl.topology.model import Node
from labctl.topology.roles import role_facts
from labctl.topology.spec import Spec

MEMINFO = Path("/proc/meminfo")
MIB_PER_GIB = 1024


def available_mib() -> int:
    """The memory that programs can still get, in MiB."""
    return parse_available(MEMINFO.read_text(encoding="utf-8"))


def parse_available(text: str) -> int:
    """MemAvailable of /proc/meminfo in MiB."""
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def memory_mib(spec: Spec) -> int:
    """The memory of all machines of a lab that are here, in MiB."""
    return sum(node.size.memory_mib for node in nodes_of(spec))


def least_mib(spec: Spec) -> int:
    """With less than this, in MiB, some of a lab's nodes here do not start reliably."""
    source = spec.packages.source
    return sum(role_facts(node.role).least_mib(source) for node in nodes_of(spec))


def nodes_of(spec: Spec) -> tuple[Node, ...]:
    """The nodes of a lab that run on this machine.

    Also while 'auto' has not chosen its network: addresses do not count.
    """
    if spec.network == AUTO_NETWORK:
        spec = replace(spec, network=Spec().network)
    return tuple(node for node in resolve(spec).nodes if is_here(node.host))


@dataclass(frozen=True, slots=True)
class Fit:
    """The memory that is free, what all machines may take, and what they need at least; in MiB.

    `smaller` are the flags of a lab like this one that fits, if this one does not.
    """

    available: int
    whole: int
    needed: int
    smaller: str = ""

    @property
    def possible(self) -> bool:
        return self.needed <= self.available

    @property
    def comfortable(self) -> bool:
        return self.whole <= self.available


def judge_fit(spec: Spec, *, available: int) -> Fit:
    """Whether a lab fits.

    Virtual machines take their memory; containers take what their programs use, and their sizes
    are limits.
    """
    whole, least = memory_mib(spec), least_mib(spec)
    needed = whole if provider_of(spec.provider).own_kernel else least
    smaller = what_fits(spec, available=available) if whole > available else ""
    return Fit(available, whole, needed, smaller)


def check_fit(spec: Spec, *, available: int, progress: Progress) -> None:
    """Refuse a lab that cannot fit; report one whose machines may together want more than is free.

    Errors: LabError with what would fit.
    """
    fit = judge_fit(spec, available=available)
    found = f"{gib(available)} of memory are free"
    if not fit.possible:
        raise LabError(
            f"This lab needs at least {gib(fit.needed)}, and {found}.",
            hint=f"What fits: {fit.smaller or 'nothing'}. Or stop programs that you do not need.",
        )
    if not fit.comfortable:
        progress(
            NOTICE,
            f"{found}, and this lab's machines may use {gib(fit.whole)} together. If the kernel"
            f" ends programs, use {fit.smaller or 'a larger machine'}.",
        )


def what_fits(spec: Spec, *, available: int) -> str:
    """The flags of the largest lab like this one whose machines fit; empty if none does."""
    for smaller, flags in _smaller(spec):
        if memory_mib(smaller) <= available:
            return f"'labctl up {flags}'"
    return ""


def _smaller(spec: Spec) -> Iterator[tuple[Spec, str]]:
    small = replace(spec, small=True, sizes={})
    yield small, "--small"
    for jvbs in range(spec.jvbs - 1, -1, -1):
        yield replace(small, jvbs=jvbs), f"--small --jvbs {jvbs}"
    yield replace(small, jvbs=0, visitors=0), "--small --jvbs 0 --visitors 0"


def gib(mib: int) -> str:
    """An amount of memory as people read it."""
    return f"{mib / MIB_PER_GIB:.1f} GiB"
