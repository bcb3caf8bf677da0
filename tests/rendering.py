"""The labs whose rendered trees are golden files and are given to the real programs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labctl.providers.table import provider_of
from labctl.render import Materials, Tree, render_node
from labctl.render.ca import Certificate
from labctl.render.nodes import certificate_names
from labctl.render.secrets import Secrets
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import Auth, ProviderName, Spec, VisitorsLayout

LOCAL = VisitorsLayout.LOCAL
CASES = {
    "nodes-1": Spec(jvbs=1, visitors=1),
    "nodes-8-relays": Spec(jvbs=2, visitors=8, relays=True),
    "nodes-12": Spec(jvbs=0, visitors=12, visitors_per_node=8, max_participants=5),
    "local-10": Spec(jvbs=1, visitors=10, visitors_layout=LOCAL, domain="conf.example.org"),
    "local-1-relays": Spec(jvbs=0, visitors=1, visitors_layout=LOCAL, relays=True),
    "no-visitors-turn": Spec(jvbs=1, visitors=0, turn=True),
    "internal": Spec(jvbs=0, visitors=1, auth=Auth.INTERNAL, lobby=False),
    "jwt": Spec(jvbs=0, visitors=1, auth=Auth.JWT),
    "small": Spec(jvbs=1, visitors=0, small=True),
    "monitoring": Spec(jvbs=1, visitors=2, monitoring=True),
    "libvirt-nodes-1": Spec(jvbs=1, visitors=1, provider=ProviderName.LIBVIRT),
}


def fixed_materials(topology: Topology) -> Materials:
    """Secrets and certificates that say what they are instead of being random."""
    vnodes = [vnode.name for vnode in topology.vnodes]
    owners = ["focus", "jvb", *(f"focus/{name}" for name in vnodes)]
    certificates = {
        name: Certificate(f"(certificate for {', '.join(names)})\n", f"(key of {name})\n")
        for name, names in certificate_names(topology).items()
    }
    secrets = Secrets(
        focus_password="focus-password",
        jvb_password="jvb-password",
        turn_secret="turn-secret",
        vnode_passwords={name: f"{name}-password" for name in vnodes},
        salts={owner: f"{index:032x}" for index, owner in enumerate([*owners, "host"])},
        host_password="host-password",
        app_secret="app-secret",
    )
    return Materials(
        secrets,
        "(certificate of the lab's CA)\n",
        certificates,
        hosts_file=not provider_of(topology.provider).writes_hosts,
    )


def fixed_trees(spec: Spec) -> list[Tree]:
    """The trees of a lab, the same at every run."""
    topology = resolve(spec)
    materials = fixed_materials(topology)
    return [render_node(topology, node, materials) for node in topology.nodes]


SHOWN_VNODES = ("v1", "v10")
"""The first, and one with two digits; what the others have is derived from these."""

VNODE_PATH = re.compile(r"/prosody-(v\d+)(?=/)")


def vnode_of(path: str) -> str | None:
    """The vnode that a file belongs to alone; None for a file of the whole node."""
    found = VNODE_PATH.search(path)
    return found[1] if found else None


def is_shown(path: str) -> bool:
    vnode = vnode_of(path)
    return vnode is None or vnode in SHOWN_VNODES


def golden_files(spec: Spec) -> Iterator[tuple[str, str]]:
    """Path below the case's folder and text of every golden file.

    Keys are left out (there is one beside every certificate), and so is what belongs to a vnode
    other than SHOWN_VNODES.
    """
    for tree in fixed_trees(spec):
        yield f"{tree.node}/manifest", "".join(f"{line}\n" for line in manifest_lines(tree))
        for file in tree.files:
            if not file.path.endswith(".key") and is_shown(file.path):
                yield f"{tree.node}{file.path}", file.text


def manifest_lines(tree: Tree) -> Iterator[str]:
    """A manifest for reviewers, a line an entry.

    Checksums are left out: they would change with every file and say nothing.
    """
    for kind, entries in (("dir", tree.folders), ("file", tree.files)):
        for entry in filter(lambda entry: is_shown(f"{entry.path}/"), entries):
            kept = " kept" if getattr(entry, "kept", False) else ""
            yield f"{kind} {entry.mode:04o} {entry.owner}:{entry.group} {entry.path}{kept}"
    for link in tree.links:
        yield f"link {link.path} -> {link.target}"
    for path in tree.absent:
        yield f"absent {path}"
    for command in tree.commands:
        yield f"run {command.run} when {' '.join(command.when)}"
    for unit in tree.units:
        vnode = re.fullmatch(r"prosody-v@(\d+)\.service", unit.name)
        if vnode is None or f"v{vnode[1]}" in SHOWN_VNODES:
            ports = f" ports {' '.join(map(str, unit.ports))}" if unit.ports else ""
            when = " ".join(unit.when)
            yield f"unit {unit.stage} {unit.name}{ports} {unit.change} when {when}"
