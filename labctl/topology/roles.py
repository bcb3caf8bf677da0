"""The table of roles: what a node of each role consists of and runs.

Every fixed difference between roles is here, once.  Images, firewall, readiness, status, logs,
drift, drills, the gate, the report and the acceptance suite read it.  A new role is a member of
`Role` and a row of `TABLE`; a unit that needs files of its own also has a renderer in
`labctl.render.services`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from labctl.topology.model import VNODE_C2S, VNODE_HTTP, VNODE_S2S, Node
from labctl.topology.monitors import (
    METRICS,
    METRICS_OF_NGINX,
    NGINX_EXPORTER,
    NGINX_METRICS,
    PROMETHEUS,
)
from labctl.topology.rolefacts import RoleFacts
from labctl.topology.spec import Role, Size, Spec, VisitorsLayout
from labctl.topology.units import (
    OUTSIDE,
    Config,
    Port,
    PortOrigin,
    Proto,
    Syntax,
    Talk,
    UnitFacts,
    Use,
    When,
)

TCP, UDP = Proto.TCP, Proto.UDP

SSH = UnitFacts("ssh.service", None, ports=(Port(TCP, 22, PortOrigin.ANY, "sshd"),))
FIREWALL = UnitFacts("nftables.service", 0, change="reload")
COMMON = (SSH, FIREWALL)
"""What every node runs."""

BREWERY_OF_BRIDGES = Use(Talk.BREWERY, "jitsi-videobridge2.service")
FOCUS_OF_JICOFO = Use(Talk.FOCUS, "jicofo.service")
HTTPS_OF_ALL = Use(Talk.HTTPS, OUTSIDE)
HTTP_OF_NGINX = Use(Talk.HTTP, "nginx.service")

PROSODY = UnitFacts(
    "prosody.service",
    1,
    "Prosody",
    ports=(
        Port(TCP, 5222, PortOrigin.BRIDGES, uses=(BREWERY_OF_BRIDGES, FOCUS_OF_JICOFO)),
        Port(TCP, 5269, PortOrigin.VISITORS, uses=(Use(Talk.S2S, "prosody-v@.service"),)),
        Port(TCP, 5280, PortOrigin.LOOPBACK, uses=(HTTP_OF_NGINX,)),
    ),
    package="jitsi-meet-prosody",
    logs=("/var/log/prosody/prosody.*",),
    error_log="/var/log/prosody/prosody.err",
    configs=(Config("prosody", "/etc/prosody/prosody.cfg.lua", Syntax.PROSODY),),
)
NGINX = UnitFacts(
    "nginx.service",
    1,
    "nginx",
    ports=(
        Port(TCP, 80, PortOrigin.ANY, uses=(HTTPS_OF_ALL,)),
        Port(TCP, 443, PortOrigin.ANY, uses=(HTTPS_OF_ALL,)),
        # The metrics of the JMS and of the vnodes, and nothing else of their HTTP servers.
        Port(TCP, NGINX_METRICS, PortOrigin.MONITORING, monitored=True, uses=METRICS_OF_NGINX),
    ),
    change="reload",
    package="jitsi-meet-web-config",
    logs=("/var/log/nginx/*.log",),
    error_log="/var/log/nginx/error.log",
    error_lines=r"\[(error|crit|alert|emerg)\]",
    configs=(
        Config("nginx-site", "/etc/nginx/sites-available/{domain}.conf", Syntax.NGINX),
        Config("nginx", "/etc/nginx/nginx.conf", Syntax.NGINX),
    ),
)
JICOFO = UnitFacts(
    "jicofo.service",
    2,
    "Jicofo",
    ports=(Port(TCP, 8888, PortOrigin.LOOPBACK, uses=(HTTP_OF_NGINX,)),),
    package="jicofo",
    logs=("/var/log/jitsi/*.log",),
    error_log="/var/log/jitsi/jicofo.log",
    error_lines=" SEVERE: ",
    configs=(Config("jicofo", "/etc/jitsi/jicofo/jicofo.conf", Syntax.HOCON),),
    heap="JICOFO_MAX_MEMORY",
)
BRIDGE = UnitFacts(
    "jitsi-videobridge2.service",
    2,
    ports=(
        # Jicofo's count of bridges says more than a listening port.
        Port(TCP, 8080, PortOrigin.LOOPBACK, signal=False),
        # A bridge apart from the JMS has no nginx: its REST is open to the monitoring node.
        Port(TCP, 8080, PortOrigin.MONITORING, monitored=True, signal=False, uses=METRICS),
        Port(TCP, 9090, PortOrigin.JMS, relays=True, uses=(Use(Talk.CHANNEL, "nginx.service"),)),
        Port(
            UDP,
            10000,
            PortOrigin.ANY,
            uses=(
                Use(Talk.MEDIA, OUTSIDE),
                Use(Talk.MEDIA, "coturn.service"),
                Use(Talk.RELAY, "jitsi-videobridge2.service", relays=True),
            ),
        ),
    ),
    package="jitsi-videobridge2",
    logs=("/var/log/jitsi/*.log",),
    error_log="/var/log/jitsi/jvb.log",
    error_lines=" SEVERE: ",
    configs=(Config("videobridge", "/etc/jitsi/videobridge/jvb.conf", Syntax.HOCON),),
    heap="VIDEOBRIDGE_MAX_MEMORY",
)
"""Its port for relays is for nginx on the JMS."""

COTURN = UnitFacts(
    "coturn.service",
    1,
    "coturn",
    # Clients that cannot reach a bridge send media through it, over UDP or TLS.
    ports=tuple(
        Port(proto, number, PortOrigin.ANY, uses=(Use(Talk.TURN, OUTSIDE),))
        for proto, number in ((UDP, 3478), (TCP, 5349))
    ),
    when=When.TURN,
)
VNODE = UnitFacts(
    "prosody-v@.service",
    1,
    ports=tuple(
        Port(TCP, base, PortOrigin.JMS, uses=(use,))
        for base, use in (
            (VNODE_C2S, FOCUS_OF_JICOFO),
            (VNODE_S2S, Use(Talk.S2S, "prosody.service")),
            (VNODE_HTTP, HTTP_OF_NGINX),
        )
    ),
    when=When.EACH_VNODE,
    shipped="prosody",
    package="jitsi-meet-prosody",
    logs=("/var/log/prosody-{vnode}/prosody.*",),
    error_log="/var/log/prosody-{vnode}/prosody.err",
    configs=(
        Config("prosody", "/etc/prosody-{vnode}/prosody.cfg.lua", Syntax.PROSODY, packaged=False),
    ),
)
"""The ports of `VNode`: its index is added to each."""


def _count_visitors(spec: Spec) -> int:
    if spec.visitors_layout is not VisitorsLayout.NODES:
        return 0
    return -(-spec.visitors // spec.visitors_per_node)


TABLE: Mapping[Role, RoleFacts] = {
    Role.JMS: RoleFacts(
        role=Role.JMS,
        what="Prosody, nginx and Jicofo, with a bridge of its own",
        packages=(
            "jicofo",
            "jitsi-videobridge2",
            "jitsi-meet-prosody",
            "jitsi-meet-web-config",
            "jitsi-meet-web",
        ),
        debian=("prosody", "lua-unbound", "nginx", "coturn"),
        units=(
            PROSODY,
            NGINX,
            JICOFO,
            BRIDGE.on_jms(PortOrigin.SELF),
            COTURN,
            VNODE.on_jms(PortOrigin.LOOPBACK),
        ),
        size=Size(memory_mib=4096, cpus=2),
        small=Size(memory_mib=1536, cpus=2),
        least_memory_mib=1024,
        least_stand_in_mib=512,
        count=lambda _: 1,
        names="jms",
        first_offset=105,
        bridge="jvb",
        vnodes=VisitorsLayout.LOCAL,
        turn=True,
    ),
    Role.JVB: RoleFacts(
        role=Role.JVB,
        what="a videobridge",
        packages=("jitsi-videobridge2",),
        debian=(),
        units=(BRIDGE,),
        size=Size(memory_mib=2048, cpus=2),
        small=Size(memory_mib=640, cpus=2),
        least_memory_mib=512,
        least_stand_in_mib=160,
        count=lambda spec: spec.jvbs,
        names="jvb{n}",
        first_offset=106,
        bridge="{name}",
        caption=("5222/tcp: brewery", "10000/udp: media"),
    ),
    Role.MONITORING: RoleFacts(
        role=Role.MONITORING,
        what="Prometheus, which watches all other nodes",
        packages=(),
        debian=("prometheus", "prometheus-nginx-exporter"),
        units=(PROMETHEUS, NGINX_EXPORTER),
        size=Size(memory_mib=512, cpus=1),
        small=Size(memory_mib=256, cpus=1),
        least_memory_mib=256,
        count=lambda spec: 1 if spec.monitoring else 0,
        names="monitoring",
        first_offset=190,
        caption=("9145/tcp and 8080/tcp: metrics",),
    ),
    Role.VISITORS: RoleFacts(
        role=Role.VISITORS,
        what="visitor Prosodies",
        # jitsi-meet-prosody asks a debconf question that jitsi-meet-web-config defines, so both are
        # installed by one call.
        packages=("jitsi-meet-prosody", "jitsi-meet-web-config"),
        debian=("prosody", "lua-unbound"),
        units=(VNODE,),
        size=Size(memory_mib=1024, cpus=2),
        small=Size(memory_mib=256, cpus=2),
        least_memory_mib=256,
        count=_count_visitors,
        names="visitors{n}",
        first_offset=201,
        vnodes=VisitorsLayout.NODES,
        caption=("52220+i, 52690+i, 52800+i", "and 5269/tcp back"),
    ),
}
"""One row per role, in the order in which nodes are laid out."""


def rows() -> tuple[RoleFacts, ...]:
    """Every row, in the order of the table."""
    return tuple(TABLE.values())


def role_facts(role: Role) -> RoleFacts:
    """The row of a role."""
    return TABLE[role]


def image_units(role: Role) -> tuple[str, ...]:
    """Units that a role's image must have, and that must not start before `labctl up`."""
    units = (*role_facts(role).units, *COMMON)
    return tuple(dict.fromkeys(it.program for it in units if it.stage is not None))


def units_of(node: Node) -> tuple[UnitFacts, ...]:
    """Every unit that must run on a node; the common ones come first."""
    units = (*COMMON, *role_facts(node.role).units)
    return tuple(each for unit in units for each in _expand(unit, node))


def _expand(unit: UnitFacts, node: Node) -> Iterator[UnitFacts]:
    match unit.when:
        case When.ALWAYS:
            yield unit
        case When.TURN:
            if node.turn:
                yield unit
        case When.EACH_VNODE:
            yield from (unit.of_vnode(vnode) for vnode in node.vnodes)
        case _:
            assert_never(unit.when)


def managed_units(node: Node) -> tuple[UnitFacts, ...]:
    """The units that `labctl up` starts on a node."""
    return tuple(unit for unit in units_of(node) if unit.stage is not None)


def prosody_units(node: Node) -> tuple[UnitFacts, ...]:
    """The units of a node that run Prosody."""
    return tuple(unit for unit in units_of(node) if unit.program == PROSODY.program)


def runs(node: Node, unit: UnitFacts) -> bool:
    """Whether a node runs a unit of the table."""
    return any(each.template == unit.template for each in units_of(node))


def all_units() -> tuple[UnitFacts, ...]:
    """The rows of all units, each once, in the order in which they start."""
    units = (*COMMON, *(unit for row in rows() for unit in row.units))
    return tuple({unit.template: unit for unit in units}.values())
