"""A side's whole lab that pretends: machines that are there at once, nodes that get ready.

Everything from `bring_up` to the removal of the machines is labctl's own; only nodes, machines and
images are made up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from labctl.gate.job import SideJob
from labctl.images.packages import MAIN_PACKAGES, Package, PackageOrigin, PackageSet
from labctl.images.plan import Installed
from labctl.lab import current, up
from labctl.providers import table
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import ProviderName, Spec
from labctl.topology.workdir import Workdir
from tests.fakes.host import FakeHost
from tests.fakes.lab import make_healthy, pretend_machines
from tests.fakes.nodes import ANY, FakeNodes
from tests.nullprovider import NullProvider

SPEC = Spec(lab="gate-candidate", jvbs=1, visitors=1, provider=ProviderName.DOCKER)


@dataclass
class Told:
    """What a part of the gate said, as `phase: message`."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, phase: str, message: str, *, node: str | None = None) -> None:
        self.lines.append(f"{phase}: {message}")


@dataclass
class Pretended:
    """The lab of `job`; `packages` are those that it has, `asked` how they were asked for."""

    job: SideJob
    topology: Topology
    nodes: FakeNodes
    provider: NullProvider
    told: Told = field(default_factory=Told)
    packages: PackageSet = field(default_factory=lambda: package_set())
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def workdir(self) -> Workdir:
        return Workdir.of(self.job.spec.lab)

    @property
    def machines(self) -> list[str]:
        """What became of the machines, in order: made ('data') and removed ('clean')."""
        return [word for word in self.provider.said if word in ("data", "clean")]

    def resolve(self, packages: Any, **words: Any) -> PackageSet:
        self.asked.append(words)
        return self.packages

    def change(self, **values: Any) -> SideJob:
        self.job = replace(self.job, **values)
        return self.job


def package_set(version: str = "1.0", *, origin: PackageOrigin = PackageOrigin.DEBS) -> PackageSet:
    return PackageSet(tuple(Package(name, origin, version) for name in MAIN_PACKAGES))


@pytest.fixture
def pretended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: FakeNodes
) -> Iterator[Pretended]:
    monkeypatch.setitem(Workdir.of.__func__.__kwdefaults__, "root", tmp_path)  # type: ignore[attr-defined]
    monkeypatch.setattr(current, "CURRENT", tmp_path / ".lab" / "current")
    for name in ("ensure_plain_vagrant", "remove_plain_vagrant"):
        monkeypatch.setattr(current, name, lambda *_: None)
    topology = resolve(SPEC)
    provider = pretend_machines(monkeypatch, topology)
    for name in set(table.TABLE) - {ProviderName.DOCKER}:
        # Not removed: it would come back at another place, and the order is that of lists.
        monkeypatch.setitem(table.TABLE, name, NullProvider(name))  # type: ignore[arg-type]
    monkeypatch.setattr(provider, "clean", lambda folder: provider.said.append("clean"))
    installed = {name: Installed("1.0", PackageOrigin.DEBS) for name in MAIN_PACKAGES}
    monkeypatch.setattr(up, "packages_of", lambda *_, **__: installed)
    for node in topology.nodes:
        FakeHost.on(nodes, node.name)
    make_healthy(nodes, topology)
    nodes.says(ANY, "node 10.0\nunit nginx.service 0.5\n", to="node_cpu")
    nodes.says("jvb1", "start jitsi-videobridge2 2600 3.1\n" * 3, to="systemctl stop jitsi-video")
    nodes.says("jms", "start jicofo 2650\nstart jicofo 2750 2.9\n", to="systemctl stop jicofo")
    nodes.says(ANY, {"journal": "it said this\n"}, to="section systemctl --failed")
    job = SideJob("candidate", "debs:/x", SPEC, tmp_path / "report" / "candidate")
    yield Pretended(job, topology, nodes, provider)
