"""A node's tree: what every node has, and what belongs to each of its units."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.render.renderer import Materials, Piece, Renderer
from labctl.render.services import CA_FILE, VNODE_AUTH, render_unit
from labctl.render.tree import ChangeCommand, RenderedFile, Tree, Unit
from labctl.topology.logs import shared_log_folders
from labctl.topology.model import Node, Topology
from labctl.topology.roles import managed_units, role_facts
from labctl.topology.spec import Auth
from labctl.topology.units import UnitFacts

HOSTS_FILE = "/etc/hosts"
GREETING = "/etc/motd"
SHOW_GREETING = "/etc/profile.d/labctl-greeting.sh"
"""sshd itself greets only the first session of a connection, and labctl keeps connections."""

# Names that the main Prosody serves; its certificate names all of them, because a vnode's s2s
# connection may ask for any of them.
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


def certificate_names(topology: Topology) -> dict[str, list[str]]:
    """The certificates that a lab needs: name -> host names in it, the first one the subject.

    Jicofo verifies `auth.meet.jitsi` on a vnode, everything else `auth.<domain>` on the JMS.
    """
    domain = topology.domain
    guests = ("guest",) if topology.spec.auth is Auth.INTERNAL else ()
    names = {
        domain: [domain, *(f"{host}.{domain}" for host in (*MAIN_HOSTS, *guests))],
        f"auth.{domain}": [f"auth.{domain}", f"internal.auth.{domain}"],
    }
    for vnode in topology.vnodes:
        hosts = (f"{kind}.{vnode.domain}" for kind in ("conference", "polls", "visitors"))
        names[vnode.domain] = [VNODE_AUTH, vnode.domain, *hosts]
    return names


def render_node(topology: Topology, node: Node, materials: Materials) -> Tree:
    """All files of one node.  Errors: jinja2's, which are defects of a template."""
    renderer = Renderer(topology, node, materials)
    rendered = [(unit, render_unit(renderer, unit)) for unit in managed_units(node)]
    common = [_trust(renderer), _names(renderer), _greeting(renderer)]
    pieces = [*common, *(piece for _, piece in rendered)]
    units = [_unit(unit, piece) for unit, piece in rendered]
    return Tree(
        node=node.name,
        # The vnodes of a node share a file.
        files=tuple(dict.fromkeys(file for piece in pieces for file in piece.files)),
        folders=tuple(folder for piece in pieces for folder in piece.folders),
        links=tuple(link for piece in pieces for link in piece.links),
        absent=tuple(path for piece in pieces for path in piece.absent),
        commands=tuple(command for piece in pieces for command in piece.commands),
        units=tuple(sorted(units, key=lambda unit: unit.stage)),
    )


def _unit(unit: UnitFacts, piece: Piece) -> Unit:
    assert unit.stage is not None, "what labctl starts has a stage"
    return Unit(unit.name, unit.stage, piece.when, unit.change, unit.waited_ports)


def _trust(renderer: Renderer) -> Piece:
    """Every node trusts the lab's CA."""
    file = RenderedFile(CA_FILE, renderer.materials.ca)
    return Piece(files=(file,), commands=(ChangeCommand(f"labctl-trust {CA_FILE}", (CA_FILE,)),))


def _names(renderer: Renderer) -> Piece:
    """Every node knows the names of all nodes; some providers write them themselves."""
    if not renderer.materials.hosts_file:
        return Piece()
    return Piece(files=(renderer.file(HOSTS_FILE, "common/hosts.j2"),))


def _greeting(renderer: Renderer) -> Piece:
    """Who logs in is told what the node is, where its logs are, and what to do next."""
    node = renderer.node
    alike: dict[str, list[UnitFacts]] = {}
    for unit in (unit for unit in managed_units(node) if unit.logs):
        alike.setdefault(unit.template, []).append(unit)
    logs = {_span(units): " ".join(_own_logs(units[0])) for units in alike.values()}
    last = [units[0].error_log for units in alike.values() if units[0].error_log]
    file = renderer.file(
        GREETING, "common/motd.j2", logs=logs, last_logs=last, row=role_facts(node.role)
    )
    return Piece(files=(file, renderer.file(SHOW_GREETING, "common/greeting.sh.j2")))


def _span(units: Sequence[UnitFacts]) -> str:
    """Units of one row of the table: the name of the only one, or the first and the last."""
    first, last = units[0].stem, units[-1].stem
    return first if first == last else f"{first} to {last}"


def _own_logs(unit: UnitFacts) -> tuple[str, ...]:
    """The logs of a unit; in a folder that units share, only the one that is surely its own."""
    shared = any(log.rpartition("/")[0] in shared_log_folders() for log in unit.logs)
    return (unit.error_log,) if shared and unit.error_log else unit.logs
