"""Everything of a lab that is made on this machine before any node runs."""

from __future__ import annotations

from labctl.ca import ensure_authority
from labctl.model import Topology
from labctl.render import Materials, Tree, render_node, save_tree
from labctl.render.nodes import certificate_names
from labctl.render.tree import forget_trees
from labctl.secrets import ensure_secrets
from labctl.workdir import Workdir


def render_lab(workdir: Workdir, topology: Topology) -> list[Tree]:
    """Secrets, certificates and every node's files, written below the lab's folder.

    The same lab renders the same text at every run: what was generated once is kept.
    """
    # Keys and passwords are below: nobody else on this machine reads them.
    workdir.path.mkdir(parents=True, exist_ok=True)
    workdir.path.chmod(0o700)
    secrets = ensure_secrets(workdir, vnodes=(vnode.name for vnode in topology.vnodes))
    authority = ensure_authority(workdir)
    certificates = {
        name: authority.issue(name, names=names)
        for name, names in certificate_names(topology).items()
    }
    materials = Materials(secrets, authority.certificate, certificates)
    trees = [render_node(topology, node, materials) for node in topology.nodes]
    workdir.tree.mkdir(parents=True, exist_ok=True)
    for tree in trees:
        save_tree(workdir.tree, tree)
    forget_trees(workdir, keep={tree.node for tree in trees})
    return trees
