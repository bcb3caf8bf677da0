"""A bundle of a small lab, made without Docker: an image is a line of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from labctl.bundle import make
from labctl.bundle.make import make_bundle
from labctl.bundle.model import Bundle
from labctl.core.progress import Progress, silent
from labctl.images.contents import DebPackage
from labctl.images.packages import PackageOrigin
from labctl.images.plan import Installed
from labctl.images.store import Archive
from labctl.providers import table
from labctl.providers.docker.bundle import bundle as docker_bundle
from labctl.topology.spec import ProviderName, Role, Spec
from tests.nullprovider import NullProvider

IMAGES = {Role.JMS: "labctl/jms:1", Role.JVB: "labctl/jvb:1", Role.VISITORS: "labctl/visitors:1"}
SPEC = Spec(lab="demo", jvbs=1, visitors=2)
Write = Callable[[Path, Progress], object]


@dataclass
class FakeStore:
    """Two archives; `writes` replaces how one is written, and `written` are their names."""

    writes: dict[str, Write] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    least_bytes: int = 10

    def ensure_tools(self, progress: Progress) -> None:
        pass

    def packages(self, reference: str) -> dict[str, Installed]:
        return {
            "jicofo": Installed("0~standin1", PackageOrigin.STAND_INS),
            "nginx": Installed("1.26", PackageOrigin.DEBIAN),
        }

    def installed(self, reference: str) -> tuple[DebPackage, ...]:
        return (
            DebPackage("adduser", "3.152", "all"),
            DebPackage("jicofo", "0~standin1", "all"),
            DebPackage("nginx", "1.26", "amd64"),
        )

    def archives(self, references: Sequence[str]) -> Sequence[Archive]:
        first, *others = references
        return [self._archive("a.tar", (first,)), self._archive("b.tar", tuple(others))]

    def _archive(self, name: str, images: tuple[str, ...]) -> Archive:
        def write(target: Path, progress: Progress) -> None:
            self.written.append(name)
            self.writes.get(name, lambda path, _: path.write_text(name))(target, progress)

        return Archive(name, images, self.least_bytes, write)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    """Docker's place is taken by a provider whose images are in this store."""
    found = FakeStore()
    provider = NullProvider(images=found)  # type: ignore[arg-type]
    provider.bundle = docker_bundle  # type: ignore[method-assign]
    monkeypatch.setitem(table.TABLE, ProviderName.DOCKER, provider)  # type: ignore[arg-type]
    monkeypatch.setattr(make, "ensure_images_of", lambda *_, **__: IMAGES)
    return found


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "stick" / "demo"


@pytest.fixture
def bundle(store: FakeStore, target: Path) -> Bundle:
    """A finished bundle in `target`."""
    return make_bundle(SPEC, target=target, progress=silent)
