"""Makes everything that a lab needs on this machine before any node runs."""

from __future__ import annotations

from labctl.providers.table import provider_of
from labctl.render import Materials, Tree, render_node, save_tree
from labctl.render.ca import ensure_authority
from labctl.render.nodes import certificate_names
from labctl.render.secrets import ensure_secrets
from labctl.render.tree import forget_trees
from labctl.topology.lab import Lab


def render_lab(lab: Lab) -> list[Tree]:
    """Secrets, certificates and every node's files, written below the lab's folder.

    The same lab renders the same text at every run: what was generated once is kept.
    """
    # Keys and passwords are below: nobody else on this machine reads them.
    lab.folder.path.mkdir(parents=True, exist_ok=True)
    lab.folder.path.chmod(0o700)
    secrets = ensure_secrets(lab.folder, vnodes=(vnode.name for vnode in lab.topology.vnodes))
    authority = ensure_authority(lab.folder, domain=lab.topology.domain)
    certificates = {
        name: authority.issue(name, names=names)
        for name, names in certificate_names(lab.topology).items()
    }
    materials = Materials(
        secrets,
        authority.certificate,
        certificates,
        hosts_file=not provider_of(lab.topology.provider).writes_hosts,
    )
    trees = [render_node(lab.topology, node, materials) for node in lab.topology.nodes]
    lab.folder.tree.mkdir(parents=True, exist_ok=True)
    for tree in trees:
        save_tree(lab.folder.tree, tree)
    forget_trees(lab.folder, keep={tree.node for tree in trees})
    return trees
