"""`labctl images` over the stores of all providers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from labctl.cli.images import images_command
from labctl.core.errors import LabError
from labctl.images.packages import PackageOrigin
from labctl.images.plan import ImageKind, Installed
from labctl.images.store import Image
from labctl.providers.table import TABLE
from labctl.topology.spec import ProviderName
from tests.nullprovider import NullProvider
from tests.schemas import checked


@dataclass(eq=False)
class Store:
    """A store in memory; `silent` is what it says instead of anything else."""

    images: list[Image]
    kind: ImageKind = ImageKind.DISK
    silent: str = ""
    problems: dict[str, list[str]] = field(default_factory=dict)

    def list(self) -> Sequence[Image]:
        if self.silent:
            raise LabError(self.silent)
        return tuple(self.images)

    def remove(self, images: Iterable[Image]) -> Sequence[Image]:
        gone = tuple(images)
        self.images = [image for image in self.images if image not in gone]
        return gone

    def clean(self) -> Sequence[str]:
        return ["machine labctl-failed-jms"]

    def verify(self, reference: str) -> Sequence[str]:
        return self.problems.get(reference, ())

    def show(self, reference: str) -> dict[str, Any]:
        packages = {"jicofo": Installed("1.0", PackageOrigin.JITSI)}
        shown = {
            name: {"version": it.version, "source": it.origin} for name, it in packages.items()
        }
        return {"reference": reference, "role": "jms", "packages": shown}


def image(reference: str, role: str, *users: str) -> Image:
    return Image(reference, role, f"2026-11-21T1{len(reference)}:00", 5_000_000, users)


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> dict[str, Store]:
    """Containers of docker, and disks that libvirt and VirtualBox share."""
    containers = Store([image("labctl/jms:1", "jms", "container x")], ImageKind.CONTAINER)
    disks = Store([image("labctl-jms-1", "jms"), image("labctl-base-1", "base")])
    # As for real: a store each, and the same images in both.
    kept = {"docker": containers, "libvirt": disks, "virtualbox": replace(disks)}
    for name in ProviderName:
        if name in kept:
            provider = NullProvider(name, images=kept[name])  # type: ignore[arg-type]
            monkeypatch.setitem(TABLE, name, provider)  # type: ignore[arg-type]
    return {"containers": containers, "disks": disks}


def run(*words: str) -> Result:
    return CliRunner().invoke(images_command, words, standalone_mode=False)


def test_every_image_is_listed_once_with_its_providers(stores: dict[str, Store]) -> None:
    found = checked("images-list", run("list", "--json").stdout)
    assert [(it["reference"], it["kind"], it["providers"]) for it in found] == [
        ("labctl/jms:1", "container", ["docker"]),
        ("labctl-jms-1", "disk", ["libvirt", "virtualbox"]),
        ("labctl-base-1", "disk", ["libvirt", "virtualbox"]),
    ]
    assert "labctl-jms-1" in run("list", "--provider", "libvirt").stdout
    assert "labctl/jms:1" not in run("list", "--provider", "libvirt").stdout


def test_a_store_that_does_not_answer_is_told_and_left_out(stores: dict[str, Store]) -> None:
    stores["containers"].silent = "No engine."
    done = run("list")
    assert "labctl-jms-1" in done.stdout
    assert "Images of provider 'docker' are not included: No engine." in done.stderr
    assert isinstance(run("list", "--provider", "docker").exception, LabError)
    stores["disks"].silent = "No folder."
    assert str(run("list").exception) == "No engine."


def test_prune_works_on_all_and_keeps_each_base(stores: dict[str, Store]) -> None:
    dry = checked("images-prune", run("prune", "--dry-run", "--json").stdout)
    assert dry == {"images": ["labctl-jms-1"], "leftovers": [], "dry_run": True}
    assert len(stores["disks"].images) == 2
    done = run("prune")
    assert "removed labctl-jms-1\n1 images removed." in done.stdout
    assert [each.role for each in stores["disks"].images] == ["base"]
    assert len(stores["containers"].images) == 1


def test_verify_names_what_is_wrong_and_fails(stores: dict[str, Store]) -> None:
    assert run("verify").return_value == 0
    stores["disks"].problems["labctl-jms-1"] = ["Its disk is damaged."]
    assert run("verify", "labctl/jms:1").return_value == 0
    done = run("verify")
    assert done.return_value == 1
    assert "Its disk is damaged." in done.stdout
    told = checked("images-verify", run("verify", "--json").stdout)
    assert told["labctl-jms-1"] == ["Its disk is damaged."]


def test_show(stores: dict[str, Store]) -> None:
    data = json.loads(run("show", "labctl/jms:1", "--json").stdout)
    assert (data["kind"], data["users"]) == ("container", ["container x"])
    assert data["packages"] == {"jicofo": {"version": "1.0", "source": "jitsi"}}
    assert "jicofo" in run("show", "labctl/jms:1").stdout
    unknown = run("show", "labctl/jms:2").exception
    assert isinstance(unknown, LabError)
    assert unknown.message == "There is no image 'labctl/jms:2'."
