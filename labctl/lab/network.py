"""A lab's network: the one that was asked for, or with 'auto' the next that is free."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path

from labctl.core.errors import LabError, UsageError
from labctl.core.plain import from_plain, to_plain
from labctl.core.progress import Progress
from labctl.core.state import Flaw, StateError, StateKind, load_state, save_state
from labctl.host.network import NetworkTakenError, bridge_name
from labctl.host.network import check_network as check_here
from labctl.providers.table import provider_of
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir

Check = Callable[[Spec], object]
"""Raises NetworkTakenError if a lab of this spec cannot have its network."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The content of network.json: the network that 'auto' chose for a lab."""

    network: IPv4Network


CHOSEN: StateKind[Chosen] = StateKind(
    format=1,
    parse=partial(from_plain, Chosen),
    remedy="Remove it; the next 'labctl up' writes it again.",
    outgrown="Remove it; the next 'labctl up' writes it as this labctl does.",
)


def chosen_file(workdir: Workdir) -> Path:
    return workdir.path / "network.json"


def candidates() -> Iterator[IPv4Network]:
    """The networks that 'auto' tries, in order.

    It begins with those that VirtualBox allows (192.168.56.0/21) and leaves out what home routers
    and hypervisors use themselves.
    """
    yield from (IPv4Network(f"192.168.{third}.0/24") for third in range(56, 255) if third != 122)
    yield from (IPv4Network(f"10.156.{third}.0/24") for third in range(256))


def settle_network(
    spec: Spec, *, workdir: Workdir, progress: Progress, check: Check | None = None
) -> Spec:
    """The same spec with a definite network instead of 'auto', which this lab then keeps.

    `check` is the provider's by default.  Errors: NetworkTakenError if the network that was asked
    for, or that a lab with machines has, is taken; its hint names the next free one.
    """
    check = check or partial(check_provider, workdir=workdir)
    if spec.network != AUTO_NETWORK:
        try:
            check(spec)
        except NetworkTakenError as error:
            raise with_suggestion(error, spec, workdir=workdir, check=check) from error
        return spec
    with _choosing(workdir):
        kept = kept_network(workdir)
        if kept is not None and _may_keep(kept, spec, workdir, check, progress):
            return replace(spec, network=kept)
        found = want_free(spec, workdir=workdir, check=check)
        save_state(chosen_file(workdir), CHOSEN, to_plain(Chosen(found)))
    progress("host", f"network {found} is the next that is free")
    return replace(spec, network=found)


def peek_network(spec: Spec, *, workdir: Workdir, check: Check | None = None) -> Spec:
    """What `settle_network` would give now; nothing is written, and nothing is kept for the lab.

    By default only this machine is asked.  Errors: LabError if no network is free.
    """
    if spec.network != AUTO_NETWORK:
        return spec
    check = check or partial(check_machine, workdir=workdir)
    found = kept_network(workdir) or want_free(spec, workdir=workdir, check=check)
    return replace(spec, network=found)


def check_provider(spec: Spec, *, workdir: Workdir) -> None:
    """Check with the provider that a lab can have its network.  Errors: NetworkTakenError."""
    provider_of(spec.provider).check_network(Lab(workdir, resolve(spec)))


def check_machine(spec: Spec, *, workdir: Workdir) -> None:
    """The same without a provider: only interfaces, routes and rules of this machine count."""
    check_here(spec.network, allow=(bridge_name(workdir),))


def moved(network: IPv4Network, *, by: int) -> IPv4Network:
    """The network of the same size that many networks further.  Errors: UsageError."""
    try:
        first = IPv4Address(int(network.network_address) + by * network.num_addresses)
    except AddressValueError as error:
        raise UsageError(f"--network: there is none {by} after '{network}'.") from error
    return IPv4Network((first, network.prefixlen))


def find_free(spec: Spec, *, workdir: Workdir, check: Check) -> IPv4Network | None:
    """The first candidate that neither this machine nor another lab of this checkout has."""
    others = list(_networks_of_others(workdir))
    return first_free(lambda network: check(replace(spec, network=network)), others=others)


def want_free(spec: Spec, *, workdir: Workdir, check: Check) -> IPv4Network:
    """The same.  Errors: LabError if there is none."""
    found = find_free(spec, workdir=workdir, check=check)
    if found is None:
        raise LabError("This machine has no free private network for a lab.")
    return found


def first_free(
    check: Callable[[IPv4Network], object], *, others: Collection[IPv4Network] = ()
) -> IPv4Network | None:
    """The first candidate that `check` does not refuse with a NetworkTakenError."""
    for network in candidates():
        if any(network.overlaps(other) for other in others):
            continue
        with suppress(NetworkTakenError):
            check(network)
            return network
    return None


def with_suggestion(
    error: NetworkTakenError, spec: Spec, *, workdir: Workdir, check: Check
) -> NetworkTakenError:
    """The same error, with a hint that names the network that 'auto' would take."""
    found = find_free(spec, workdir=workdir, check=check)
    if found is None:
        return error
    hint = suggestion(found, error.hint)
    return NetworkTakenError(error.message, hint=hint, finding=error.finding)


def suggestion(free: IPv4Network, hint: str | None) -> str:
    """A hint that names a free network besides the cure that is known."""
    return f"'--network auto' takes the next free one, now {free}. Or: {hint}"


def kept_network(workdir: Workdir) -> IPv4Network | None:
    """The network that an existing lab has, or that was chosen for it; None for a new lab."""
    topology = workdir.find_topology()
    return topology.network if topology is not None else _chosen(workdir)


def _may_keep(
    kept: IPv4Network, spec: Spec, workdir: Workdir, check: Check, progress: Progress
) -> bool:
    """Whether the lab keeps its network; one without machines takes another if it must."""
    try:
        check(replace(spec, network=kept))
    except NetworkTakenError as error:
        if any(workdir.vagrant.glob("machines/*/*/id")):
            raise
        progress("host", f"{error.message} This lab gets another network.")
        return False
    return True


def _chosen(workdir: Workdir) -> IPv4Network | None:
    try:
        return load_state(chosen_file(workdir), CHOSEN).network
    except StateError as error:
        if error.flaw in (Flaw.MISSING, Flaw.DAMAGED):
            return None
        raise


def _networks_of_others(workdir: Workdir) -> Iterator[IPv4Network]:
    """The networks of this checkout's other labs, whether or not they are up."""
    for folder in workdir.path.parent.glob("[!.]*"):
        if folder == workdir.path or folder.is_symlink():
            continue
        # A lab that cannot be read has told its provider its network, if it has machines.
        with suppress(LabError):
            if (kept := kept_network(Workdir(folder))) is not None:
                yield kept


@contextmanager
def _choosing(workdir: Workdir) -> Iterator[None]:
    """Two labs that start at the same time do not choose the same network."""
    workdir.path.mkdir(parents=True, exist_ok=True)
    with (workdir.path.parent / ".networks.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
