"""A lab whose nodes install what they are given, and a call that nobody has to hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labctl.core.errors import LabError
from labctl.node.sections import render_sections
from labctl.topology.lab import Lab
from labctl.topology.roles import managed_units, role_facts
from labctl.upgrade.larder import UnmetError
from tests.fakes.nodes import FakeNodes, Ran


@dataclass
class FakeLarder:
    """Files of one version, which exist; `unmet` are packages that cannot be installed."""

    folder: Path
    version: str = "2"
    unmet: tuple[str, ...] = ()
    packages: tuple[str, ...] = (
        "jicofo", "jitsi-videobridge2", "jitsi-meet-prosody", "jitsi-meet-web-config",
        "jitsi-meet-web", "jitsi-meet",
    )  # fmt: skip

    def names(self) -> tuple[str, ...]:
        return self.packages

    def files(self, names: Sequence[str], *, status: str) -> tuple[Path, ...]:
        if wrong := next((name for name in names if name in self.unmet), None):
            error = UnmetError(f"apt cannot install {wrong}: it needs more.")
            error.package = wrong
            raise error
        files = [self.folder / f"{name}_{self.version}_all.deb" for name in names]
        for file in files:
            file.write_bytes(b"!<arch>\n")
        return tuple(files)


@dataclass
class FakeCall:
    """A call that is moved between two bridges, or always to one; its sound comes back or not."""

    bridge: str = "jvb1"
    to: str = ""
    sound: bool = True
    lost: float = 0.0
    moves: bool = True
    moved: int = 0

    def move(self) -> None:
        if not self.moves:
            raise LabError("Nobody came.")
        self.moved += 1
        self.bridge = self.to or {"jvb": "jvb1", "jvb1": "jvb"}[self.bridge]

    def wait_sound(self, *, seconds: float) -> bool:
        return self.sound

    def lost_since(self, began: float) -> float:
        return self.lost


@dataclass
class Packaged:
    """Every node's packages: apt changes their versions and starts their units `starts` times.

    `fails` are packages whose script ends with 1 on a node.
    """

    lab: Lab
    starts: int = 1
    fails: tuple[str, ...] = ()
    asks: str = ""
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    started: dict[str, Counter[str]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def settle(self, nodes: FakeNodes) -> Packaged:
        """Let the fake nodes answer for these packages."""
        for node in self.lab.topology.nodes:
            self.versions[node.name] = dict.fromkeys(role_facts(node.role).packages, "1")
            self.started[node.name] = Counter(unit.name for unit in managed_units(node))
            nodes.says(node.name, "", to="/var/lib/dpkg/status")
            nodes.says(node.name, "", to="ls -1")
            nodes.says(node.name, "", to="base64 -d")
            nodes.says(node.name, self.snapshot, to="section conffiles")
            nodes.says(node.name, self.apt, to="apt-get --yes")
            nodes.says(node.name, "", to="systemctl restart")
            nodes.says(node.name, "", to="debconf-set-selections")
        return self

    def snapshot(self, ran: Ran) -> str:
        rows = (f"installed\t{n}\t{v}\n" for n, v in self.versions[ran.node].items())
        starts = self.started[ran.node].elements()
        return render_sections(
            {
                "versions": "".join(rows),
                "starts": "".join(f"{json.dumps({'UNIT': unit})}\n" for unit in starts),
            }
        )

    def apt(self, ran: Ran) -> str:
        self.order.append(ran.node)
        output, code = self.asks, 0
        for word in ran.text.split():
            if not word.startswith("./"):
                continue
            name, version, _ = word.removeprefix("./").split("_")
            output += f"Setting up {name} ({version}) ...\n"
            self.versions[ran.node][name] = version
            for unit in managed_units(self.lab.topology.node(ran.node)):
                if unit.package == name and unit.vnode is None:
                    self.started[ran.node][unit.name] += self.starts
            if name in self.fails:
                code = 100
                output += (
                    f" installed {name} package post-installation script subprocess returned error"
                    " exit status 1\n"
                )
        return render_sections({"output": output, "code": str(code), "end": ""})
