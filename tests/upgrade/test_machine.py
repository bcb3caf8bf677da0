"""A bare machine: what it is given, and that nothing of it stays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import silent
from labctl.images import make
from labctl.images.make import ensure_base
from labctl.images.plan import ImageKind, ImagePlan
from labctl.lab import remove
from labctl.topology.layout import resolve
from labctl.topology.spec import Packages, PackageSource, Role, Spec
from labctl.topology.workdir import Workdir
from labctl.upgrade import machine
from labctl.upgrade.machine import PUBLIC, bare_machine, machine_spec
from tests.fakes.lab import pretend_machines
from tests.fakes.nodes import FakeNodes


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: FakeNodes) -> Spec:
    """A spec whose machine runs already."""
    found = machine_spec(Spec(lab="gate"), lab="bare")
    pretend_machines(monkeypatch, resolve(found))
    folder = Workdir.of("bare", root=tmp_path)
    monkeypatch.setattr(machine.Workdir, "of", lambda lab: folder)
    monkeypatch.setattr(machine, "ensure_provider", lambda *_, **__: None)
    monkeypatch.setattr(machine, "ensure_base", lambda *_, **__: "labctl/base:13-x")
    # It would ask the programs of every provider.
    monkeypatch.setattr(remove, "remove_leftovers", lambda *_, **__: False)
    nodes.says("jms", to="debconf-set-selections")
    return found


def test_what_a_machine_is_given(spec: Spec, nodes: FakeNodes) -> None:
    with bare_machine(spec, progress=silent) as found:
        assert found.node.image == "labctl/base:13-x"
        (ran,) = nodes.ran_on("jms")
        assert f"{PUBLIC}/32" in ran.text
        assert "192.168.56.105 meet.lab.internal" in ran.text
        answers = ran.stdin or ""
        assert "jitsi-meet-tokens/appsecret password" in answers
        assert "jitsi-videobridge/jvb-hostname string meet.lab.internal" in answers
        assert "appsecret" not in ran.text
        # Nothing is rendered for it.
        assert not found.lab.folder.tree.exists()
        folder = found.lab.folder.path
    assert not folder.exists()


def test_it_is_removed_whatever_happens(spec: Spec, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), bare_machine(spec, progress=silent):
        raise RuntimeError
    assert not (tmp_path / ".lab" / "bare").exists()


def test_people_trust_the_packages_certificate_and_stay_in_the_lab(
    spec: Spec, nodes: FakeNodes
) -> None:
    nodes.says("jms", "(certificate)\n", to="/etc/jitsi/meet/meet.lab.internal.crt")
    with bare_machine(spec, progress=silent) as found:
        target = found.target()
        assert target.ca_file.read_text() == "(certificate)\n"
        assert target.within == IPv4Network("192.168.56.0/24")
        assert target.may_send("192.168.56.105")
        assert not target.may_send(PUBLIC)
        assert not target.may_send("bridge.example")


@dataclass
class Store:
    """A store of images that notes what it was asked to make."""

    kind: ImageKind = ImageKind.CONTAINER
    images: set[str] = field(default_factory=set)
    made: list[Sequence[Role]] = field(default_factory=list)

    def local(self) -> frozenset[str]:
        return frozenset(self.images)

    def plan(self, roles: Any, packages: Any, **_: Any) -> ImagePlan:
        return ImagePlan("base:1", {Role.JMS: "jms:1"}, packages)

    def make(self, plan: ImagePlan, missing: Sequence[Role], **_: Any) -> None:
        self.made.append(missing)
        self.images.add(plan.base)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    monkeypatch.setattr(make, "host_architecture", lambda: "amd64")
    monkeypatch.setattr(make, "resolve", lambda *_, **__: None)
    monkeypatch.setattr(make, "state_dir", lambda: tmp_path)
    return Store()


def base_of(store: Store, tmp_path: Path) -> str:
    given: Any = store
    packages = Packages(source=PackageSource.STAND_INS)
    return ensure_base(packages, store=given, progress=silent, cache=tmp_path)


def test_the_base_is_made_once_and_no_role_with_it(store: Store, tmp_path: Path) -> None:
    assert base_of(store, tmp_path) == "base:1"
    assert base_of(store, tmp_path) == "base:1"
    assert store.made == [()]


def test_virtual_machines_have_no_base_to_start(store: Store, tmp_path: Path) -> None:
    store.kind = ImageKind.DISK
    with pytest.raises(LabError, match="virtual machine"):
        base_of(store, tmp_path)
