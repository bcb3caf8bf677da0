"""The lab that the user asks for: every key of lab.conf, declared once (`labctl.topology.keys`).

A new key is a field here.  Its flag, its row in docs/lab-conf.md, its checks and its place in
topology.json are derived from it; templates read it as `topology.spec.<attribute>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Any

from labctl.topology.keys import (
    Choice,
    Cidr,
    DebianRelease,
    DomainName,
    HostList,
    Key,
    KeyGroup,
    LabName,
    Memory,
    OnOff,
    PerRole,
    Placement,
    Text,
    Texts,
    Versions,
    WholeNumber,
    declare,
    plain,
    revive,
)

DEFAULT_RELEASE = "13"
"""Whose Prosody and OpenJDK Jitsi's packages of 2026 run on."""

MAX_JVBS = 50
MAX_VNODES = 64


class Role(StrEnum):
    """The purpose of a node; there is one image per role."""

    JMS = "jms"
    JVB = "jvb"
    VISITORS = "visitors"
    MONITORING = "monitoring"


class ProviderName(StrEnum):
    """What runs the machines; `auto` is the best that works here (`labctl.providers.choice`)."""

    AUTO = "auto"
    DOCKER = "docker"
    LIBVIRT = "libvirt"
    VIRTUALBOX = "virtualbox"


class VisitorsLayout(StrEnum):
    """Where the visitor Prosodies run."""

    NODES = "nodes"
    LOCAL = "local"
    """On the JMS itself, on loopback, as upstream's `pre-configure.sh` makes them."""


class Auth(StrEnum):
    """Who may begin a conference, and who may join one."""

    OPEN = "open"
    INTERNAL = "internal"
    """Accounts of the lab begin conferences, guests join them: a secure domain."""
    JWT = "jwt"
    """Everybody shows a token that the lab's secret has signed."""


class PackageSource(StrEnum):
    """Where Jitsi's packages come from."""

    AUTO = "auto"
    JITSI = "jitsi"
    DEBS = "debs"
    STAND_INS = "stand-ins"


class RepositoryChannel(StrEnum):
    """Suites of Jitsi's apt repository."""

    STABLE = "stable"
    TESTING = "testing"
    UNSTABLE = "unstable"


@dataclass(frozen=True, slots=True)
class Size:
    """What a machine gets: memory in MiB and virtual CPUs."""

    memory_mib: int = declare(0, Key("memory", Memory(), "Memory of each machine of the role."))
    cpus: int = declare(
        2, Key("cpus", WholeNumber(1, 64), "Virtual CPUs of each machine of the role.")
    )


@dataclass(frozen=True, slots=True)
class Packages:
    """Which Jitsi packages the images hold.

    For source `debs`, `path` is the folder of .deb files, or `files` lists the files.  `versions`
    pins packages to exact versions, including those of a versions file.  If `repository` and `key`
    (the fingerprint of the key that signs it) are empty, they mean Jitsi's own.  `others` is the
    number of packages in a versions file that are not Jitsi's.
    """

    source: PackageSource = declare(
        PackageSource.AUTO, Key("source", Choice(PackageSource), "Where the packages come from.")
    )
    channel: RepositoryChannel = declare(
        RepositoryChannel.STABLE,
        Key("channel", Choice(RepositoryChannel), "Channel of Jitsi's repository."),
    )
    path: str | None = declare(
        None, Key("path", Text("path"), "Folder of .deb files; relative to lab.conf.")
    )
    versions: Mapping[str, str] = declare(
        dict, Key("versions", Versions(), "Exact versions: `{ jicofo = 1.0-1196-1 }`.")
    )
    files: tuple[str, ...] = declare(
        (), Key("files", Texts(), "The .deb files themselves, instead of a folder.")
    )
    repository: str = declare(
        "",
        Key("repository", Text("http"), "Another address of Jitsi's repository, such as a mirror.",
            default="Jitsi's"),
    )  # fmt: skip
    key: str = declare(
        "",
        Key("key", Text("fingerprint"), "Fingerprint of the key that signs the repository.",
            default="in the code"),
    )  # fmt: skip
    others: int = 0


VERSIONS_FILE = Key(
    "versions-file",
    Text("path"),
    "A file of lines `package version`; `packages.versions` wins.",
)
"""Another way to give `versions`; it has no value of its own."""


@dataclass(frozen=True, slots=True)
class Spec:
    """The lab that the user asks for, checked by `labctl.spec`, which reports every problem.

    A role that is not in `sizes` gets the size in its row of `labctl.topology.roles`.
    """

    lab: str = declare(
        "default",
        Key("lab", LabName(), "The lab's name, and the name of its folder below `.lab/`.",
            flag="lab", metavar="NAME", default="the lab used last, else `default`"),
    )  # fmt: skip
    provider: ProviderName = declare(
        ProviderName.DOCKER,
        Key("provider", Choice(ProviderName), "What runs the machines.",
            flag="provider", metavar="NAME", default="the lab's, else `docker`",
            more="See [providers](providers.md)."),
    )  # fmt: skip
    domain: str = declare(
        "meet.lab.internal",
        Key("domain", DomainName(), "The conference domain: a host name, or the JMS's address.",
            flag="domain", metavar="NAME"),
    )  # fmt: skip
    network: IPv4Network = declare(
        lambda: IPv4Network("192.168.56.0/24"),
        Key("network", Cidr(), "A private network that nothing on this machine uses.",
            flag="network", metavar="CIDR",
            more="`auto` takes the next free /24, and the lab keeps it."),
    )  # fmt: skip
    jvbs: int = declare(
        2,
        Key(
            "jvbs",
            WholeNumber(0, MAX_JVBS),
            "Bridges besides the JMS's own.",
            flag="jvbs",
            metavar="N",
        ),
    )
    visitors: int = declare(
        8,
        Key("visitors.count", WholeNumber(0, MAX_VNODES), "Visitor Prosodies.",
            flag="visitors", metavar="N", bare=True),
    )  # fmt: skip
    visitors_per_node: int = declare(
        8,
        Key("visitors.per-node", WholeNumber(1, MAX_VNODES), "Visitor Prosodies per machine.",
            flag="visitors-per-node", metavar="N"),
    )  # fmt: skip
    visitors_layout: VisitorsLayout = declare(
        VisitorsLayout.NODES,
        Key("visitors.layout", Choice(VisitorsLayout),
            "`nodes`: visitor Prosodies have machines; `local`: all are on the JMS.",
            flag="visitors-layout", metavar="WORD"),
    )  # fmt: skip
    max_participants: int = declare(
        30,
        Key("max-participants", WholeNumber(1, 1000),
            "How many participants a conference takes; everybody who joins later is a visitor.",
            flag="max-participants", metavar="N"),
    )  # fmt: skip
    relays: bool = declare(
        False,
        Key("relays", OnOff(), "Let a conference span several bridges.", flag="relays"),
    )
    turn: bool = declare(
        False,
        Key("turn", OnOff(), "Run coturn on the JMS, for clients that cannot reach a bridge.",
            flag="turn"),
    )  # fmt: skip
    auth: Auth = declare(
        Auth.OPEN,
        Key("auth", Choice(Auth),
            "`open`: everybody may begin a conference; `internal`: accounts begin, guests join; "
            "`jwt`: everybody shows a token.",
            flag="auth", metavar="WORD", more="See [logins](lab-conf.md#logins)."),
    )  # fmt: skip
    lobby: bool = declare(
        True,
        Key("lobby", OnOff(), "Let moderators close a room with a lobby.", flag="lobby"),
    )
    monitoring: bool = declare(
        False,
        Key("monitoring", OnOff(),
            "Run Prometheus on a machine of its own, with alerts that fire in drills.",
            flag="monitoring", more="See [monitoring](monitoring.md)."),
    )  # fmt: skip
    small: bool = declare(
        False,
        Key("small", OnOff(),
            "Machines with less memory, and Java with smaller heaps: JMS, two bridges and two "
            "visitor Prosodies in 3 GiB.", flag="small"),
    )  # fmt: skip
    debian: str = declare(
        DEFAULT_RELEASE,
        Key("debian", DebianRelease(), "Debian release of the nodes.",
            flag="debian", metavar="RELEASE"),
    )  # fmt: skip
    packages: Packages = declare(
        Packages,
        Key("packages", KeyGroup(Packages),
            "Source of Jitsi's packages: `auto`, `stand-ins`, `jitsi`, `jitsi:CHANNEL`, "
            "`jitsi:FILE`, `debs:DIR` or `debs:FILE,FILE`.",
            flag="packages", metavar="SOURCE", default="`auto`",
            more="Or an object; see [sources](gate.md#sources)."),
    )  # fmt: skip
    sizes: Mapping[Role, Size] = declare(
        dict,
        Key("roles", PerRole(Role, Size), "Sizes of machines, by role."),
    )
    hosts: tuple[str, ...] = declare(
        (),
        Key("hosts", HostList(),
            "The machines over which the nodes are spread: `local`, `ssh://[USER@]MACHINE[:PORT]`.",
            default="this machine",
            more="Provider `docker` only; see [several machines](howto/several-machines.md)."),
    )  # fmt: skip
    placement: Mapping[str, str] = declare(
        dict,
        Key("placement", Placement(),
            "Machines for nodes or roles: `{ jms = lab1, visitors = lab2 }`.",
            default="in turn, the JMS on the first"),
    )  # fmt: skip
    encrypt: bool = declare(
        False,
        Key("encrypt", OnOff(), "Encrypt what the machines of `hosts` send each other (IPsec)."),
    )

    def to_json(self) -> dict[str, Any]:
        """Plain data, by attribute."""
        found: dict[str, Any] = plain(self)
        return found

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Spec:
        """The spec that `to_json` wrote; keys that did not exist then get their defaults."""
        return revive(cls, data)
