"""The labs whose rendered trees are golden files and are given to the real programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from labctl.ca import Certificate
from labctl.layout import resolve
from labctl.model import Provider, Spec, Topology, VisitorsLayout
from labctl.render import Materials, Tree, render_node
from labctl.render.nodes import certificate_names
from labctl.secrets import Secrets

LOCAL = VisitorsLayout.LOCAL
CASES = {
    "nodes-1": Spec(jvbs=1, visitors=1),
    "nodes-8-relays": Spec(jvbs=2, visitors=8, relays=True),
    "nodes-12": Spec(jvbs=0, visitors=12, visitors_per_node=8, max_participants=5),
    "local-10": Spec(jvbs=1, visitors=10, visitors_layout=LOCAL, domain="conf.example.org"),
    "local-1-relays": Spec(jvbs=0, visitors=1, visitors_layout=LOCAL, relays=True),
    "no-visitors-turn": Spec(jvbs=1, visitors=0, turn=True),
    "libvirt-nodes-1": Spec(jvbs=1, visitors=1, provider=Provider.LIBVIRT),
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
        salts={owner: f"{index:032x}" for index, owner in enumerate(owners)},
    )
    return Materials(secrets, "(certificate of the lab's CA)\n", certificates)


def fixed_trees(spec: Spec) -> list[Tree]:
    """The trees of a lab, the same at every run."""
    topology = resolve(spec)
    materials = fixed_materials(topology)
    return [render_node(topology, node, materials) for node in topology.nodes]


def golden_files(spec: Spec) -> Iterator[tuple[str, str]]:
    """Path below the case's folder and text of every golden file.

    The manifest's checksums are left out: they would change with every file and say nothing.
    So are keys, of which there is one beside every certificate.
    """
    for tree in fixed_trees(spec):
        manifest = tree.manifest()
        for file in manifest["files"]:
            del file["sha256"]
            if not file["kept"]:
                del file["kept"]
        yield f"{tree.node}/manifest.json", json.dumps(manifest, indent=2) + "\n"
        for file in tree.files:
            if not file.path.endswith(".key"):
                yield f"{tree.node}{file.path}", file.text
