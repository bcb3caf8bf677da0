"""The files of each unit that has any: their owners, and whose change affects the unit.

A unit of the table of roles that is not in `RENDERERS` has no files from labctl; it is only
started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from labctl.core.webpage import HEADERS
from labctl.render.prosody_data import data_file, data_folder, render_roster
from labctl.render.renderer import Piece, Renderer
from labctl.render.secrets import HOST_USER
from labctl.render.tree import Folder, Link, RenderedFile
from labctl.topology.model import VNODE_DOMAIN, VNode
from labctl.topology.monitors import NGINX_EXPORTER, NGINX_METRICS, PROMETHEUS
from labctl.topology.ports import declared_ports, origin_addresses
from labctl.topology.roles import (
    BRIDGE,
    COTURN,
    FIREWALL,
    JICOFO,
    NGINX,
    PROSODY,
    VNODE,
)
from labctl.topology.sizes import heap_mib
from labctl.topology.spec import Auth
from labctl.topology.units import PortOrigin, UnitFacts

CA_FILE = "/usr/local/share/ca-certificates/labctl-lab-ca.crt"
FIREWALL_FILE = "/etc/nftables.conf"
TURN_CONF = "/etc/turnserver.conf"
VNODE_UNIT = f"/etc/systemd/system/{VNODE.template}"
PROSODY_LIMITS = f"/etc/systemd/system/{PROSODY.name}.d/labctl.conf"
NGINX_LIMITS = f"/etc/systemd/system/{NGINX.name}.d/labctl.conf"
OPEN_FILES = "jms/open-files.conf.j2"
PROSODY_DATA = "/var/lib/prosody"
OWN_MODULES = tuple(
    f"/usr/local/lib/prosody/modules/mod_{name}.lua" for name in ("tenant_hosts", "fresh_secrets")
)
VNODE_AUTH = f"auth.{VNODE_DOMAIN}"
NGINX_METRICS_CONF = "/etc/nginx/conf.d/labctl-metrics.conf"
PROMETHEUS_DIR = "/etc/prometheus"
CLASS_PAGE = "/run/labctl-class"
"""What nginx serves as /lab/ while it is there (`labctl.live.publish`)."""
SITES = "/etc/nginx/sites-enabled"
TLS12_SUITES = ":".join(
    f"ECDHE-ECDSA-{cipher}"
    for cipher in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
)
"""What Mozilla's 'intermediate' has of TLS 1.2 for keys of ECDSA, which the lab's are.

Prosody has it by itself; TLS 1.3 has no suites that must be left out."""
MEET = "/etc/jitsi/meet"


def render_unit(renderer: Renderer, unit: UnitFacts) -> Piece:
    """The files of one unit of the renderer's node; none if it has no renderer."""
    render = RENDERERS.get(unit.template)
    return render(renderer, unit) if render is not None else Piece()


def _firewall(renderer: Renderer, _: UnitFacts) -> Piece:
    ports = declared_ports(renderer.topology, renderer.node)
    rules = [(port, origin_addresses(renderer.topology, port.from_)) for port in ports]
    file = renderer.file(FIREWALL_FILE, "common/nftables.conf.j2", rules=rules)
    return Piece(files=(file,), when=(FIREWALL_FILE,))


def _bridge(renderer: Renderer, unit: UnitFacts) -> Piece:
    path = unit.configs[0].path
    file = renderer.file(path, "jvb/jvb.conf.j2", owner="jvb", group="jitsi", mode=0o640)
    return _in_java(renderer, unit, file)


def _jicofo(renderer: Renderer, unit: UnitFacts) -> Piece:
    path = unit.configs[0].path
    file = renderer.file(path, "jms/jicofo.conf.j2", owner="jicofo", group="jitsi", mode=0o640)
    return _in_java(renderer, unit, file)


def _in_java(renderer: Renderer, unit: UnitFacts, config: RenderedFile) -> Piece:
    """A program in Java: its configuration, and its heap where the node has less memory than usual.

    Java reads its trust store once, at start, so a new CA needs a restart.
    """
    heap, drop_in = heap_mib(renderer.node), f"/etc/systemd/system/{unit.name}.d/labctl.conf"
    when = (config.path, CA_FILE, drop_in)
    if heap is None:
        return Piece(files=(config,), when=when)
    limit = renderer.file(drop_in, "common/heap.conf.j2", unit=unit, heap_mib=heap)
    return Piece(files=(config, limit), when=when)


def _turn(renderer: Renderer, _: UnitFacts) -> Piece:
    """coturn, with a certificate of its own that its user may read."""
    stem = "/etc/labctl/turnserver"
    config = renderer.file(
        TURN_CONF, "jms/turnserver.conf.j2", group="turnserver", mode=0o640, suites=TLS12_SUITES
    )
    pair = renderer.pair(renderer.topology.domain, stem, group="turnserver")
    return Piece(files=(config, *pair), when=(TURN_CONF, f"{stem}.*"))


def _prosody(renderer: Renderer, unit: UnitFacts) -> Piece:
    domain, secrets = renderer.topology.domain, renderer.materials.secrets
    auth, certs, config = f"auth.{domain}", "/etc/prosody/certs", unit.configs[0].path
    roster = RenderedFile(
        data_file(auth, "roster", "focus", data_path=PROSODY_DATA),
        render_roster(f"focus.{domain}"),
        "prosody",
        "prosody",
        0o640,
        kept=True,
    )
    files = (
        renderer.file(config, "jms/prosody.cfg.lua.j2", group="prosody", mode=0o640),
        renderer.file(PROSODY_LIMITS, OPEN_FILES, unit=unit.name),
        *_own_modules(renderer),
        *renderer.pair(domain, f"{certs}/{domain}", group="prosody"),
        *renderer.pair(auth, f"{certs}/{auth}", group="prosody"),
        renderer.account("focus", auth, data=PROSODY_DATA, salt="focus",
                         password=secrets.focus_password),
        renderer.account("jvb", auth, data=PROSODY_DATA, salt="jvb",
                         password=secrets.jvb_password),
        roster,
    )  # fmt: skip
    folders = _prosody_folders(PROSODY_DATA, auth, ("accounts", "roster"))
    if renderer.topology.spec.auth is Auth.INTERNAL:
        host = renderer.account(
            HOST_USER, domain, data=PROSODY_DATA, salt="host", password=secrets.host_password
        )
        files = (*files, host)
        folders = (*folders, *_prosody_folders(PROSODY_DATA, domain, ("accounts",))[1:])
    return Piece(
        files=files,
        folders=folders,
        # The list of modules is read only at start, so a reload is not enough.  Accounts are read
        # at every login and need nothing.  The roster is cached with focus's session.
        when=(config, PROSODY_LIMITS, *OWN_MODULES, f"{certs}/*", roster.path),
    )


def _own_modules(renderer: Renderer) -> tuple[RenderedFile, ...]:
    """Our own modules for every Prosody of the lab."""
    return tuple(
        renderer.file(path, f"common/{path.rpartition('/')[2]}.j2") for path in OWN_MODULES
    )


def _nginx(renderer: Renderer, unit: UnitFacts) -> Piece:
    domain = renderer.topology.domain
    site, main = (config.path.format(domain=domain) for config in unit.configs)
    files = (
        *renderer.pair(domain, f"{MEET}/{domain}", group="root"),
        renderer.file(main, "jms/nginx.conf.j2", suites=TLS12_SUITES),
        renderer.file(NGINX_LIMITS, OPEN_FILES, unit=unit.name),
        renderer.file(site, "jms/nginx-site.conf.j2", class_page=CLASS_PAGE, headers=HEADERS),
        renderer.file(f"{MEET}/{domain}-config.js", "jms/config.js.j2"),
    )
    if renderer.topology.spec.monitoring:
        files = (*files, _metrics_gate(renderer))
    return Piece(
        files=files,
        links=(Link(f"{SITES}/{domain}.conf", f"../sites-available/{domain}.conf"),),
        absent=(f"{SITES}/default",),
        when=("/etc/nginx/*", f"{MEET}/*.crt", f"{MEET}/*.key"),
    )


def _metrics_gate(renderer: Renderer) -> RenderedFile:
    """Where nginx gives metrics to the monitoring node."""
    monitors = origin_addresses(renderer.topology, PortOrigin.MONITORING)
    return renderer.file(
        NGINX_METRICS_CONF,
        "jms/nginx-metrics.conf.j2",
        metrics_port=NGINX_METRICS,
        monitors=monitors,
    )


def _vnode(renderer: Renderer, unit: UnitFacts) -> Piece:
    """One visitor Prosody, and the unit file, which all vnodes of a node share."""
    assert unit.vnode is not None
    files = _vnode_files(renderer, unit.vnode, config=unit.configs[0].path)
    # Accounts are read at every login.
    when = tuple(file.path for file in files if "/accounts/" not in file.path)
    return Piece(
        files=(renderer.file(VNODE_UNIT, "visitors/prosody-v@.service.j2"), *files),
        folders=_prosody_folders(_vnode_data(unit.vnode), VNODE_AUTH, ("accounts",)),
        when=(*when, VNODE_UNIT),
    )


def _vnode_files(renderer: Renderer, vnode: VNode, *, config: str) -> tuple[RenderedFile, ...]:
    certs = f"/etc/prosody-{vnode.name}/certs"
    template = "visitors/prosody.cfg.lua.j2"
    return (
        renderer.file(config, template, group="prosody", mode=0o640, vnode=vnode),
        *_own_modules(renderer),
        *renderer.pair(vnode.domain, f"{certs}/{vnode.domain}", group="prosody"),
        renderer.account(
            "focus",
            VNODE_AUTH,
            data=_vnode_data(vnode),
            salt=f"focus/{vnode.name}",
            password=renderer.materials.secrets.vnode_passwords[vnode.name],
        ),
    )


def _vnode_data(vnode: VNode) -> str:
    return f"/var/lib/prosody-{vnode.name}"


def _prosody_folders(data: str, host: str, stores: tuple[str, ...]) -> tuple[Folder, ...]:
    host_folder = data_folder(host, data_path=data)
    paths = (data, host_folder, *(f"{host_folder}/{store}" for store in stores))
    return tuple(Folder(path, "prosody", "prosody", 0o750) for path in paths)


def _prometheus(renderer: Renderer, unit: UnitFacts) -> Piece:
    """Prometheus: what it asks, its rules and alerts, and its flags."""
    config, rules, flags = (
        f"{PROMETHEUS_DIR}/prometheus.yml",
        f"{PROMETHEUS_DIR}/labctl.rules.yml",
        (f"/etc/default/{unit.stem}"),
    )
    files = (
        renderer.file(config, "monitoring/prometheus.yml.j2", gate=_gate(renderer), rules=rules),
        renderer.file(rules, "monitoring/rules.yml.j2"),
        renderer.file(flags, "monitoring/prometheus.default.j2"),
    )
    return Piece(files=files, when=(config, rules, flags))


def _nginx_exporter(renderer: Renderer, unit: UnitFacts) -> Piece:
    flags = f"/etc/default/{unit.stem}"
    file = renderer.file(flags, "monitoring/nginx-exporter.default.j2", gate=_gate(renderer))
    return Piece(files=(file,), when=(flags,))


def _gate(renderer: Renderer) -> str:
    """Where the JMS's nginx gives metrics."""
    return f"{renderer.topology.jms.address}:{NGINX_METRICS}"


RENDERERS: Mapping[str, Callable[[Renderer, UnitFacts], Piece]] = {
    FIREWALL.template: _firewall,
    PROSODY.template: _prosody,
    NGINX.template: _nginx,
    JICOFO.template: _jicofo,
    BRIDGE.template: _bridge,
    COTURN.template: _turn,
    VNODE.template: _vnode,
    PROMETHEUS.template: _prometheus,
    NGINX_EXPORTER.template: _nginx_exporter,
}
