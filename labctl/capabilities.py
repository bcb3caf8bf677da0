"""What differs between providers and is known without looking: pure data, one row each.

What has to be done or asked of the machine stands in the rows of `labctl.providers`.  No other
module asks which provider a lab has; `tests/test_style.py` holds that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from labctl.errors import LabError
from labctl.model import Provider


class ImageKind(StrEnum):
    """What an image is: a container's layers, or a disk that a virtual machine boots from."""

    CONTAINER = "container"
    DISK = "disk"


class Rank(IntEnum):
    """How good a home for labs a provider is on a machine; the least is taken first by 'auto'."""

    CONTAINERS = 1
    KVM = 2
    OTHER_HYPERVISOR = 3
    EMULATION = 4


class Ability(StrEnum):
    """What nodes of some providers cannot do; drills ask for it (`labctl.drills.model.Need`)."""

    OWN_CLOCK = "a clock of the node's own"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """One row of the table.

    `machines` says in a few words what a node is.  With `own_kernel` a node has its own clock,
    sysctl settings and kernel modules.  With `gives_names` the provider itself writes each node's
    /etc/hosts; elsewhere it is one of the rendered files.  With `network_first` the lab's network
    is up before its first machine, else that brings it up.  With `parallel_up` Vagrant makes
    several nodes at once.  `lacks` says for an `Ability` why nodes do not have it.
    """

    provider: Provider
    machines: str
    own_kernel: bool
    gives_names: bool
    network_first: bool
    parallel_up: bool
    image_kind: ImageKind
    lacks: Mapping[str, str] = field(default_factory=dict)

    @property
    def kernel(self) -> str:
        """Whose kernel a node runs on, for people."""
        if self.own_kernel:
            return "own kernel: sysctl, nftables, clock"
        return "this machine's kernel and clock"


TABLE: Mapping[Provider, Capabilities] = {
    Provider.DOCKER: Capabilities(
        provider=Provider.DOCKER,
        machines="containers",
        own_kernel=False,
        gives_names=True,
        network_first=True,
        parallel_up=True,
        image_kind=ImageKind.CONTAINER,
        lacks={
            Ability.OWN_CLOCK: "a container has no clock of its own: setting it would set the"
            " host's",
        },
    ),
    Provider.LIBVIRT: Capabilities(
        provider=Provider.LIBVIRT,
        machines="virtual machines",
        own_kernel=True,
        gives_names=False,
        network_first=True,
        parallel_up=True,
        image_kind=ImageKind.DISK,
    ),
    Provider.VIRTUALBOX: Capabilities(
        provider=Provider.VIRTUALBOX,
        machines="virtual machines",
        own_kernel=True,
        gives_names=False,
        # A host-only interface has its address only while a machine uses it.
        network_first=False,
        # Vagrant starts VirtualBox's machines one after another.
        parallel_up=False,
        image_kind=ImageKind.DISK,
    ),
}


def is_settled(provider: Provider) -> bool:
    """Whether it names a provider, as that of a lab does; 'auto' leaves it open."""
    return provider in TABLE


def capabilities_of(provider: Provider) -> Capabilities:
    """The row of a provider; LabError for what is none ('auto' has to be settled before)."""
    try:
        return TABLE[provider]
    except KeyError:
        raise LabError(
            f"Nothing is known of provider '{provider}'.", hint=f"There are: {', '.join(TABLE)}."
        ) from None
