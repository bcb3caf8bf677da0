"""What is needed to render files: templates, and the secrets and certificates of one node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl.core.templates import make_environment
from labctl.render.ca import Certificate
from labctl.render.prosody_data import data_file, render_account
from labctl.render.quoting import FILTERS
from labctl.render.secrets import APP_ID, Secrets
from labctl.render.tree import ChangeCommand, Folder, Link, RenderedFile
from labctl.topology.model import Node, Topology


@dataclass(frozen=True, slots=True)
class Materials:
    """What rendering needs in addition to the topology: secrets, the CA, certificates by name.

    `hosts_file` says whether /etc/hosts is rendered; some providers write it themselves.
    """

    secrets: Secrets
    ca: str
    certificates: Mapping[str, Certificate]
    hosts_file: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """The files of one unit; `when` are patterns of the paths whose change affects it."""

    files: tuple[RenderedFile, ...] = ()
    folders: tuple[Folder, ...] = ()
    links: tuple[Link, ...] = ()
    absent: tuple[str, ...] = ()
    commands: tuple[ChangeCommand, ...] = ()
    when: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Renderer:
    """Renders the files of a node: from the lab, the node, its secrets, and the templates."""

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
            app_id=APP_ID,
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
            RenderedFile(f"{stem}.crt", chain, group=group),
            RenderedFile(f"{stem}.key", found.key, group=group, mode=0o640),
        )

    def account(self, user: str, host: str, *, data: str, salt: str, password: str) -> RenderedFile:
        text = render_account(password, salt=bytes.fromhex(self.materials.secrets.salts[salt]))
        path = data_file(host, "accounts", user, data_path=data)
        return RenderedFile(path, text, "prosody", "prosody", 0o640, kept=True)


_ENVIRONMENT = make_environment()
_ENVIRONMENT.filters.update(FILTERS)
