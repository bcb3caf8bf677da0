"""The interface of a provider: one class with these attributes and methods, in its own package.

A new provider is a class like this, a member of `ProviderName` and a line in
`labctl.providers.table`.  No other code asks which provider a lab has: every difference is an
attribute or a method here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any, Protocol

from labctl.core.checks import Check
from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.host.needs import Need
from labctl.images.store import ImageStore
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.spec import ProviderName
from labctl.topology.workdir import Workdir


class Rank(IntEnum):
    """How well a provider suits labs on a machine; 'auto' takes the lowest value first."""

    CONTAINERS = 1
    KVM = 2
    OTHER_HYPERVISOR = 3
    EMULATION = 4


class PassingError(LabError):
    """It failed for a reason outside of the lab that does not last; a second try is worth it."""


class Ability(StrEnum):
    """What nodes of some providers cannot do; drills require it (`labctl.drills.model.Need`)."""

    OWN_CLOCK = "a clock of the node's own"


Files = Mapping[str, tuple[bytes, int]]
"""Contents and modes by name."""


@dataclass(frozen=True, slots=True)
class BundleParts:
    """What a provider adds to a lab in a folder (`labctl.bundle`).

    `identities` are the files, by node, with which a machine gets its keys and its network; with
    `volumes` a machine gets them as an ISO, else as a folder.  `machines` is plain data by node for
    the bundle's Vagrantfile, and `files` are texts by name for the bundle itself.
    """

    identities: Mapping[str, Files]
    volumes: bool
    machines: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CrowdHost:
    """Another machine of a lab, ready for a part of a crowd.

    `python` starts Python in the lab's network there, with the modules of `labctl.crowd.share` and
    with this process's input and output; `env` is added to its environment.  `hint` says what to do
    if the machine does not answer.
    """

    name: str
    python: tuple[str, ...]
    env: Mapping[str, str]
    hint: str


class Provider(Protocol):
    """What runs the machines.  Every method may raise LabError."""

    # Fixed facts.

    @property
    def name(self) -> ProviderName: ...

    @property
    def machines(self) -> str:
        """What a node is, in a few words."""
        ...

    @property
    def own_kernel(self) -> bool:
        """Whether a node has its own clock, sysctl settings and kernel modules."""
        ...

    @property
    def writes_hosts(self) -> bool:
        """Whether the provider writes each node's /etc/hosts; else it is a rendered file."""
        ...

    @property
    def network_first(self) -> bool:
        """Whether the lab's network is up before its first machine, or comes up with it."""
        ...

    @property
    def parallel_up(self) -> bool:
        """Whether Vagrant creates several nodes at once."""
        ...

    @property
    def spreads(self) -> bool:
        """Whether a lab's nodes may be on several machines (`hosts`)."""
        ...

    @property
    def lacks(self) -> Mapping[Ability, str]:
        """The abilities that nodes do not have, each with the reason."""
        ...

    @property
    def ssh_seconds(self) -> float:
        """How long a started node may take to answer ssh; the lab's patience scales it."""
        ...

    @property
    def needs(self) -> Sequence[Need]:
        """What must be installed before any method is called."""
        ...

    @property
    def images(self) -> ImageStore:
        """The store that makes and keeps its images."""
        ...

    # For a machine.

    def find_problem(self) -> str | None:
        """Why it cannot be used here even after `needs` and `ensure`; None if it can.

        Changes nothing.
        """
        ...

    def rank(self) -> tuple[Rank, str]:
        """How well it suits labs on this machine, and why, in words."""
        ...

    def ensure(self, progress: Progress) -> object:
        """Start the provider's engine or daemon if it does not run."""
        ...

    def check(self) -> list[Check]:
        """The checks of `labctl doctor` for the provider; changes nothing."""
        ...

    def check_hosts(self, hosts: Sequence[str]) -> list[Check]:
        """The checks of `labctl doctor` for the machines of a lab on several."""
        ...

    def prove(self, progress: Progress) -> list[Check]:
        """Try what cannot be known otherwise, such as starting a node; removes what it makes."""
        ...

    def own_interfaces(self) -> Collection[str]:
        """Interfaces of labs on this machine whose names do not show that they are labctl's."""
        ...

    def explain(self, output: str) -> LabError | None:
        """What Vagrant's output means if the provider's own program failed; None otherwise."""
        ...

    # For a lab, in the order in which `up` calls them.

    def check_network(self, lab: Lab) -> object:
        """Check that the lab can have its network, before anything is built."""
        ...

    def prepare(self, lab: Lab, known: Mapping[str, str]) -> dict[str, str]:
        """Prepare this machine before Vagrant starts anything.

        `known` are the machine ids that Vagrant remembers, by node.  Returns the nodes that were
        removed, each with the reason.
        """
        ...

    def vagrant_data(self, lab: Lab) -> dict[str, Any]:
        """What the Vagrantfile needs in addition to the topology: plain data for machines.json.

        Its `patience` is the factor of `labctl.core.waiting` (1.0 if it is missing), and
        `accelerator` says in words how the machines' processors run ('software emulation').
        """
        ...

    def split(self, nodes: Sequence[Node]) -> Sequence[tuple[Mapping[str, str], Sequence[Node]]]:
        """The nodes of each run of Vagrant that creates some, and what its environment adds."""
        ...

    def read_states(self, folder: Workdir) -> dict[str, str]:
        """The nodes' states in Vagrant's words, faster than `vagrant status`.

        A node that does not exist may be left out.
        """
        ...

    def start(self, folder: Workdir, nodes: Sequence[str]) -> None:
        """Start nodes that Vagrant has created; Vagrant would start them one after another."""
        ...

    def halt(self, lab: Lab, nodes: Sequence[str]) -> None:
        """Stop nodes cleanly; their disks stay."""
        ...

    def read_console(self, folder: Workdir, node: str) -> str:
        """The end of a node's console or container log; empty if there is none."""
        ...

    def crowd_hosts(self, lab: Lab, *, processes: int, progress: Progress) -> Sequence[CrowdHost]:
        """The lab's other machines, made ready for so many processes of a crowd on each.

        None for a lab on this machine.
        """
        ...

    def bundle(self, lab: Lab) -> BundleParts:
        """What a lab needs on another machine that has the provider and Vagrant only.

        The lab has its keys already (`labctl.node.keys`); nothing on this machine is changed.
        """
        ...

    def clean(self, folder: Workdir) -> None:
        """Remove what is left of a lab: machines and network."""
        ...


def in_one_run(nodes: Sequence[Node]) -> Sequence[tuple[Mapping[str, str], Sequence[Node]]]:
    """`Provider.split` where one run of Vagrant creates all nodes."""
    return [({}, nodes)]


def no_hosts(hosts: Sequence[str]) -> list[Check]:
    """`Provider.check_hosts` where labs are on one machine: `resolve_provider` refuses it."""
    return []


def no_crowd_hosts(lab: Lab, *, processes: int, progress: Progress) -> Sequence[CrowdHost]:
    """`Provider.crowd_hosts` where labs are on one machine."""
    return ()


def describe_kernel(provider: Provider) -> str:
    """Whose kernel a node runs on, for people."""
    if provider.own_kernel:
        return "own kernel: sysctl, nftables, clock"
    return "this machine's kernel and clock"
