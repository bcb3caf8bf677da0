"""Which files, accounts and units each role has, and who owns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from labctl.ca import Certificate
from labctl.capabilities import capabilities_of
from labctl.model import VNODE_DOMAIN, Node, Role, Topology, VNode
from labctl.ports import declared_ports, origin_addresses
from labctl.prosody_data import data_file, render_account, render_roster
from labctl.render.quoting import FILTERS
from labctl.render.tree import Command, Folder, Link, RenderedFile, Tree, Unit
from labctl.secrets import Secrets

CA_FILE = "/usr/local/share/ca-certificates/labctl-lab-ca.crt"
FIREWALL_FILE = "/etc/nftables.conf"
HOSTS_FILE = "/etc/hosts"
JVB_CONF = "/etc/jitsi/videobridge/jvb.conf"
JICOFO_CONF = "/etc/jitsi/jicofo/jicofo.conf"
TURN_CONF = "/etc/turnserver.conf"
PROSODY_CONF = "/etc/prosody/prosody.cfg.lua"
VNODE_UNIT = "/etc/systemd/system/prosody-v@.service"
PROSODY_LIMITS = "/etc/systemd/system/prosody.service.d/labctl.conf"
PROSODY_DATA = "/var/lib/prosody"
VNODE_AUTH = f"auth.{VNODE_DOMAIN}"

# Names that the main Prosody answers for; its certificate names them all, because a vnode's
# s2s link may ask for any of them.
MAIN_HOSTS = (
    "conference",
    "visitors",
    "polls",
    "focus",
    "internal.auth",
    "lobby",
    "breakout",
    "recorder",
    "metadata",
    "speakerstats",
    "endconference",
    "avmoderation",
    "filesharing",
)


@dataclass(frozen=True, slots=True)
class Materials:
    """What rendering needs beside the topology: secrets, the CA, certificates by name."""

    secrets: Secrets
    ca: str
    certificates: Mapping[str, Certificate]


def certificate_names(topology: Topology) -> dict[str, list[str]]:
    """The certificates that a lab needs: name -> host names in it, the first one the subject.

    Jicofo verifies `auth.meet.jitsi` on a vnode, everything else `auth.<domain>` on the JMS.
    """
    domain = topology.domain
    names = {
        domain: [domain, *(f"{host}.{domain}" for host in MAIN_HOSTS)],
        f"auth.{domain}": [f"auth.{domain}", f"internal.auth.{domain}"],
    }
    for vnode in topology.vnodes:
        hosts = (f"{kind}.{vnode.domain}" for kind in ("conference", "polls", "visitors"))
        names[vnode.domain] = [VNODE_AUTH, vnode.domain, *hosts]
    return names


def render_node(topology: Topology, node: Node, materials: Materials) -> Tree:
    """Everything that belongs on one node.  Errors: jinja2's, which are defects of a template."""
    renderer = _Renderer(topology, node, materials)
    common = _common(renderer)
    role = {Role.JMS: _jms, Role.JVB: _jvb, Role.VISITORS: _vnodes}[node.role](renderer)
    return Tree(
        node=node.name,
        files=common.files + role.files,
        folders=common.folders + role.folders,
        links=role.links,
        absent=role.absent,
        commands=common.commands + role.commands,
        units=common.units + role.units,
    )


@dataclass(frozen=True, slots=True)
class _Renderer:
    topology: Topology
    node: Node
    materials: Materials

    def text(self, template: str, **more: Any) -> str:
        return _ENVIRONMENT.get_template(template).render(
            topology=self.topology,
            node=self.node,
            jms=self.topology.jms,
            domain=self.topology.domain,
            secrets=self.materials.secrets,
            vnode_nodes=list(self.topology.vnode_nodes()),
            **more,
        )

    def file(self, path: str, template: str, *, owner: str = "root", group: str = "root",
             mode: int = 0o644, **more: Any) -> RenderedFile:  # fmt: skip
        return RenderedFile(path, self.text(template, **more), owner, group, mode)

    def pair(self, name: str, stem: str, *, group: str) -> tuple[RenderedFile, ...]:
        """Certificate and key `name` as `<stem>.crt` and `<stem>.key`."""
        found = self.materials.certificates[name]
        chain = found.certificate + self.materials.ca
        return (
            RenderedFile(f"{stem}.crt", chain, "root", group, 0o644),
            RenderedFile(f"{stem}.key", found.key, "root", group, 0o640),
        )

    def account(self, user: str, host: str, *, data: str, salt: str, password: str) -> RenderedFile:
        text = render_account(password, salt=bytes.fromhex(self.materials.secrets.salts[salt]))
        path = data_file(host, "accounts", user, data_path=data)
        return RenderedFile(path, text, "prosody", "prosody", 0o640, kept=True)


_ENVIRONMENT = Environment(
    loader=PackageLoader("labctl"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)
_ENVIRONMENT.filters.update(FILTERS)


def _common(renderer: _Renderer) -> Tree:
    """What every node has: the firewall, trust in the lab's CA, the names of all nodes."""
    topology, node = renderer.topology, renderer.node
    ports = declared_ports(topology, node)
    rules = [(port, origin_addresses(topology, port.from_)) for port in ports]
    given = capabilities_of(topology.provider).gives_names
    names = () if given else (renderer.file(HOSTS_FILE, "common/hosts.j2"),)
    return Tree(
        node=node.name,
        files=(
            RenderedFile(CA_FILE, renderer.materials.ca),
            renderer.file(FIREWALL_FILE, "common/nftables.conf.j2", rules=rules),
            *names,
        ),
        commands=(Command("update-ca-certificates", (CA_FILE,)),),
        units=(Unit("nftables.service", 0, (FIREWALL_FILE,), "reload"),),
    )


def _bridge(renderer: _Renderer) -> tuple[RenderedFile, Unit]:
    file = renderer.file(
        JVB_CONF, "jvb/jvb.conf.j2", owner="jvb", group="jitsi", mode=0o640
    )  # Java reads its trust store once, at start: a new CA needs a restart.
    return file, Unit("jitsi-videobridge2.service", 2, (JVB_CONF, CA_FILE), ports=(8080,))


def _turn(renderer: _Renderer) -> Tree:
    """coturn, with a certificate of its own that its user may read."""
    if not renderer.node.turn:
        return Tree(node=renderer.node.name, files=())
    stem = "/etc/labctl/turnserver"
    config = renderer.file(TURN_CONF, "jms/turnserver.conf.j2", group="turnserver", mode=0o640)
    pair = renderer.pair(renderer.topology.domain, stem, group="turnserver")
    when = (TURN_CONF, f"{stem}.*")
    unit = Unit("coturn.service", 1, when, ports=(5349,))
    return Tree(node=renderer.node.name, files=(config, *pair), units=(unit,))


def _jvb(renderer: _Renderer) -> Tree:
    file, unit = _bridge(renderer)
    return Tree(node=renderer.node.name, files=(file,), units=(unit,))


def _jms(renderer: _Renderer) -> Tree:
    domain, secrets = renderer.topology.domain, renderer.materials.secrets
    auth = f"auth.{domain}"
    certs, meet = "/etc/prosody/certs", "/etc/jitsi/meet"
    site = f"/etc/nginx/sites-available/{domain}.conf"
    enabled = "/etc/nginx/sites-enabled"
    bridge_file, bridge_unit = _bridge(renderer)
    vnodes, turn = _vnodes(renderer), _turn(renderer)
    roster = RenderedFile(
        data_file(auth, "roster", "focus", data_path=PROSODY_DATA),
        render_roster(f"focus.{domain}"),
        "prosody",
        "prosody",
        0o640,
        kept=True,
    )
    files = (
        renderer.file(PROSODY_CONF, "jms/prosody.cfg.lua.j2", group="prosody", mode=0o640),
        renderer.file(PROSODY_LIMITS, "jms/prosody-limits.conf.j2"),
        *renderer.pair(domain, f"{certs}/{domain}", group="prosody"),
        *renderer.pair(auth, f"{certs}/{auth}", group="prosody"),
        *renderer.pair(domain, f"{meet}/{domain}", group="root"),
        renderer.account("focus", auth, data=PROSODY_DATA, salt="focus",
                         password=secrets.focus_password),
        renderer.account("jvb", auth, data=PROSODY_DATA, salt="jvb",
                         password=secrets.jvb_password),
        roster,
        renderer.file(JICOFO_CONF, "jms/jicofo.conf.j2", owner="jicofo", group="jitsi", mode=0o640),
        renderer.file("/etc/nginx/nginx.conf", "jms/nginx.conf.j2"),
        renderer.file(site, "jms/nginx-site.conf.j2"),
        renderer.file(f"{meet}/{domain}-config.js", "jms/config.js.j2"),
        bridge_file,
        *vnodes.files,
        *turn.files,
    )  # fmt: skip
    # A module list is read at start only, so a reload would not do; accounts are read at every
    # login and need nothing.  The roster is cached with focus's session.
    prosody_when = (PROSODY_CONF, PROSODY_LIMITS, f"{certs}/*", roster.path)
    nginx_when = ("/etc/nginx/*", f"{meet}/*.crt", f"{meet}/*.key")
    return Tree(
        node=renderer.node.name,
        files=files,
        folders=(*_prosody_folders(PROSODY_DATA, auth, ("accounts", "roster")), *vnodes.folders),
        links=(Link(f"{enabled}/{domain}.conf", f"../sites-available/{domain}.conf"),),
        absent=(f"{enabled}/default",),
        units=(
            Unit("prosody.service", 1, prosody_when, ports=(5222, 5269, 5280)),
            *vnodes.units,
            *turn.units,
            Unit("nginx.service", 1, nginx_when, "reload", (80, 443)),
            Unit("jicofo.service", 2, (JICOFO_CONF, CA_FILE), ports=(8888,)),
            bridge_unit,
        ),
    )  # fmt: skip


def _vnodes(renderer: _Renderer) -> Tree:
    """The visitor Prosodies of a node: all that a node for visitors has beside the common."""
    unit = renderer.file(VNODE_UNIT, "visitors/prosody-v@.service.j2")
    files = [unit] if renderer.node.vnodes else []
    folders: list[Folder] = []
    units: list[Unit] = []
    for vnode in renderer.node.vnodes:
        of_vnode = _vnode_files(renderer, vnode)
        files += of_vnode
        folders += _prosody_folders(_vnode_data(vnode), VNODE_AUTH, ("accounts",))
        # Accounts are read at every login.
        when = tuple(file.path for file in of_vnode if "/accounts/" not in file.path)
        ports = (vnode.c2s_port, vnode.s2s_port, vnode.http_port)
        units.append(Unit(vnode.unit, 1, (*when, VNODE_UNIT), ports=ports))
    return Tree(
        node=renderer.node.name,
        files=tuple(files),
        folders=tuple(folders),
        units=tuple(units),
    )


def _vnode_files(renderer: _Renderer, vnode: VNode) -> list[RenderedFile]:
    folder = f"/etc/prosody-{vnode.name}"
    return [
        renderer.file(
            f"{folder}/prosody.cfg.lua",
            "visitors/prosody.cfg.lua.j2",
            group="prosody",
            mode=0o640,
            vnode=vnode,
        ),
        *renderer.pair(vnode.domain, f"{folder}/certs/{vnode.domain}", group="prosody"),
        renderer.account(
            "focus",
            VNODE_AUTH,
            data=_vnode_data(vnode),
            salt=f"focus/{vnode.name}",
            password=renderer.materials.secrets.vnode_passwords[vnode.name],
        ),
    ]


def _vnode_data(vnode: VNode) -> str:
    return f"/var/lib/prosody-{vnode.name}"


def _prosody_folders(data: str, host: str, stores: tuple[str, ...]) -> list[Folder]:
    host_folder = data_file(host, stores[0], "x", data_path=data).rsplit("/", 2)[0]
    paths = [data, host_folder, *(f"{host_folder}/{store}" for store in stores)]
    return [Folder(path, "prosody", "prosody", 0o750) for path in paths]
