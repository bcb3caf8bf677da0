"""What labctl knows of a unit and its ports: the types that describe roles.  Pure data, no I/O.

The table of roles, `labctl.topology.roles`, is made of these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from labctl.topology.model import VNode

SERVICE = ".service"


class Proto(StrEnum):
    """Transport protocols."""

    TCP = "tcp"
    UDP = "udp"


class PortOrigin(StrEnum):
    """Who may reach a port."""

    ANY = "any"
    """Everybody on the lab's network, the host included."""
    CLUSTER = "cluster"
    """Every node of the lab."""
    JMS = "jms"
    BRIDGES = "bridges"
    """Nodes with a bridge, apart from the JMS."""
    VISITORS = "visitors"
    """Nodes that hold vnodes, apart from the JMS."""
    MONITORING = "monitoring"
    """The node that runs Prometheus."""
    HOST = "host"
    """The machine that runs labctl."""
    SELF = "self"
    """The node itself: the unit listens on the node's address, and the firewall blocks others."""
    LOOPBACK = "loopback"
    """The node itself, on loopback only; the firewall does not list the port."""


class Talk(StrEnum):
    """What is said on a connection; a word for people, and a filter of 'labctl capture'."""

    HTTPS = "https"
    BREWERY = "brewery"
    FOCUS = "focus"
    S2S = "s2s"
    HTTP = "http"
    MEDIA = "media"
    RELAY = "relay"
    CHANNEL = "channel"
    TURN = "turn"
    METRICS = "metrics"


TALKS: Mapping[Talk, str] = {
    Talk.HTTPS: "participants' page, BOSH and WebSockets, in TLS",
    Talk.BREWERY: "bridges announce themselves to Jicofo and take its orders, by XMPP",
    Talk.FOCUS: "Jicofo's XMPP: the main Prosody, and each vnode",
    Talk.S2S: "XMPP between the main Prosody and the vnodes",
    Talk.HTTP: "what nginx hands on to Prosodies and to Jicofo",
    Talk.MEDIA: "sound and picture: ICE, DTLS, SRTP",
    Talk.RELAY: "media between bridges, for a conference on several of them",
    Talk.CHANNEL: "a participant's WebSocket to its bridge, through nginx",
    Talk.TURN: "media of participants that cannot reach a bridge",
    Talk.METRICS: "what Prometheus asks the programs for",
}
"""Each word, explained."""

OUTSIDE = "participants"
"""Who opens a connection if no unit of the lab does."""


@dataclass(frozen=True, slots=True)
class Use:
    """Who opens connections to a port, and what for.

    `by` is the template of a unit, such as `prosody-v@.service`, or OUTSIDE.  With `relays`, only
    in a lab with relays.
    """

    talk: Talk
    by: str
    relays: bool = False


@dataclass(frozen=True, slots=True)
class Port:
    """One port that a unit listens on: protocol, number, who may reach it.

    With `relays`, it exists only in a lab with relays, and with `monitored` only in one with
    monitoring.  `signal` says whether something must listen
    there before the lab counts as ready.  `what` names the program that listens, for comments.
    `uses` say who connects to it (`labctl.topology.connections`).
    """

    proto: Proto
    number: int
    from_: PortOrigin
    what: str = ""
    relays: bool = False
    monitored: bool = False
    signal: bool = True
    uses: tuple[Use, ...] = ()

    @property
    def always(self) -> bool:
        """Whether it exists in every lab."""
        return not self.relays and not self.monitored

    def __str__(self) -> str:
        return f"{self.number}/{self.proto}"


class Syntax(StrEnum):
    """How a configuration file is written."""

    HOCON = "HOCON"
    NGINX = "nginx"
    PROSODY = "Prosody's Lua"


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration file of a unit; `{domain}` and `{vnode}` in its path are placeholders.

    `area` is its heading in 'labctl drift'.  With `packaged`, a package also generates it, with
    the image's host name as the domain, and the two files are compared.
    """

    area: str
    path: str
    syntax: Syntax
    packaged: bool = True


class When(StrEnum):
    """On which nodes of a role a unit runs."""

    ALWAYS = "always"
    TURN = "with turn"
    """If the node offers TURN."""
    EACH_VNODE = "once per vnode"


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """The fixed facts about a unit.

    `stage` is when `labctl up` starts it (0 is first); None means that it runs from boot on and
    labctl does not start it.  `title` is its name in the drawing of a lab.  `change` says what to
    do after a file has changed: restart or reload.  `shipped` is the unit's name in the image, if
    that is different.  `package` is the package of Jitsi's that the unit belongs to, if any.
    `logs` are patterns of the log files; `error_log` is the log that says why the unit failed, and
    `error_lines` is an extended regular expression for the errors in it.  `{vnode}` in a path is
    the name of a vnode.  `heap` is the environment variable that says how much memory its Java may
    take for objects, if it runs in Java.
    """

    name: str
    stage: int | None
    title: str = ""
    ports: tuple[Port, ...] = ()
    change: str = "restart"
    when: When = When.ALWAYS
    shipped: str = ""
    package: str = ""
    logs: tuple[str, ...] = ()
    error_log: str = ""
    error_lines: str = ""
    configs: tuple[Config, ...] = ()
    heap: str = ""
    vnode: VNode | None = None
    """The vnode that this unit runs, if it runs one."""

    @property
    def stem(self) -> str:
        """The unit's name without its suffix."""
        return self.name.removesuffix(SERVICE)

    @property
    def program(self) -> str:
        """The program that runs, named as the unit in the image: `prosody` for every vnode."""
        return self.shipped or self.stem

    @property
    def template(self) -> str:
        """The name of the row in the table: `prosody-v@.service` for every vnode."""
        head, at, _ = self.name.partition("@")
        return f"{head}@{SERVICE}" if at else self.name

    @property
    def waited_ports(self) -> tuple[int, ...]:
        """TCP ports that must listen before later units are started."""
        return tuple(it.number for it in self.ports if it.proto is Proto.TCP and it.always)

    @property
    def signal_ports(self) -> tuple[int, ...]:
        """TCP ports that must listen in a lab that is ready."""
        waited = self.waited_ports
        return tuple(it.number for it in self.ports if it.signal and it.number in waited)

    def of_vnode(self, vnode: VNode) -> UnitFacts:
        """The unit of one vnode, with its name filled in and its index added to every port."""

        def named(text: str) -> str:
            return text.replace("{vnode}", vnode.name)

        return replace(
            self,
            name=vnode.unit,
            ports=tuple(replace(it, number=it.number + vnode.index) for it in self.ports),
            logs=tuple(map(named, self.logs)),
            error_log=named(self.error_log),
            configs=tuple(replace(it, path=named(it.path)) for it in self.configs),
            vnode=vnode,
        )

    def on_jms(self, itself: PortOrigin) -> UnitFacts:
        """The unit as it runs on the JMS: ports that only the JMS may reach are for `itself`.

        Metrics pass through nginx there, so that the unit has no port for them.
        """
        ours = PortOrigin.JMS
        kept = (it for it in self.ports if not it.monitored)
        ports = (replace(it, from_=itself) if it.from_ is ours else it for it in kept)
        return replace(self, ports=tuple(ports))
