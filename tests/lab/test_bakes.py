"""Which images an `up` would make; the cache is as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labctl.core.errors import LabError
from labctl.images.plan import ImageKind
from labctl.images.store import Image
from labctl.lab import bakes
from labctl.lab.bakes import Bakes, plan_bakes
from labctl.topology.spec import Packages, PackageSource, ProviderName, Role, Spec

SPEC = Spec(jvbs=1, visitors=0, packages=Packages(source=PackageSource.STAND_INS))
MIB = 1024 * 1024


@dataclass
class Store:
    """Images of two roles; says which exist."""

    place: Path
    here: frozenset[str] = frozenset()
    images: tuple[Image, ...] = ()
    kind: ImageKind = ImageKind.CONTAINER
    asked: list[Any] = field(default_factory=list)

    def local(self) -> frozenset[str]:
        return self.here

    def folder(self) -> Path:
        return self.place / "not" / "made" / "yet"

    def list(self) -> tuple[Image, ...]:
        return self.images

    def plan(self, roles: Any, packages: Any, **_: Any) -> Any:
        return SimpleNamespace(
            base="base", roles={role: str(role) for role in roles}, packages=packages
        )


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bakes]:
    cache = tmp_path / "cache"
    (cache / "standins").mkdir(parents=True)
    (cache / "standins" / "known").write_text("known")
    (cache / "logs").mkdir()

    def resolve(packages: Packages, *, cache: Path, **_: Any) -> Any:
        assert (cache / "standins" / "known").read_text() == "known"
        assert not (cache / "logs").exists()
        (cache / "standins" / "new").write_text("new")
        return SimpleNamespace(notice="", packages=())

    monkeypatch.setattr(bakes, "CACHE", cache)
    monkeypatch.setattr("labctl.images.make.resolve", resolve)
    monkeypatch.setattr("labctl.images.make.host_architecture", lambda: "amd64")

    def made(*, refresh: bool = False, **changes: Any) -> Bakes:
        store = Store(tmp_path, **changes)
        row = SimpleNamespace(images=store, name=ProviderName.DOCKER)
        monkeypatch.setattr(bakes, "provider_of", lambda _: row)
        before = sorted(cache.rglob("*"))
        found = plan_bakes(SPEC, running=None, refresh=refresh)
        assert sorted(cache.rglob("*")) == before
        return found

    return made


def test_everything_is_there(make: Callable[..., Bakes]) -> None:
    found = make(here=frozenset({"base", "jms", "jvb"}))
    assert (found.missing, found.base, found.disk_mib) == ((), False, 0)
    assert found.free_mib is not None and found.free_mib > 0


def test_what_is_missing_takes_as_much_as_the_last_of_its_role(make: Callable[..., Bakes]) -> None:
    newest = Image("new", "jvb", "2026", 300 * MIB)
    oldest = Image("old", "jvb", "2025", 100 * MIB)
    found = make(here=frozenset({"base", "jms"}), images=(newest, oldest))
    assert (found.missing, found.base, found.disk_mib) == ((Role.JVB,), False, 300)
    unknown = make(here=frozenset({"jms"}))
    assert (unknown.missing, unknown.base, unknown.disk_mib) == ((Role.JVB,), True, None)


def test_a_refresh_makes_all(make: Callable[..., Bakes]) -> None:
    found = make(here=frozenset({"base", "jms", "jvb"}), refresh=True)
    assert (found.missing, found.base) == ((Role.JMS, Role.JVB), True)


def test_an_engine_that_does_not_answer_is_a_problem_in_words(
    make: Callable[..., Bakes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Store) -> frozenset[str]:
        raise LabError("'docker' is not installed.")

    monkeypatch.setattr(Store, "local", refuse)
    assert make() == Bakes({}, problem="'docker' is not installed.")
