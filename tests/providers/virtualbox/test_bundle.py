"""A bundle for VirtualBox, brought up by plain Vagrant as far as it goes without a kernel driver.

Really executed: Vagrant and the real VBoxManage 7.2 of `box.py` in this folder, with the box and
the seeds of a bundle that labctl wrote.  The box has an empty disk, because nothing boots.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from labctl.bundle import make
from labctl.bundle.make import make_bundle
from labctl.bundle.model import Bundle
from labctl.core.progress import silent
from labctl.images.contents import DebPackage
from labctl.images.plan import Installed
from labctl.images.store import Archive
from labctl.providers import table
from labctl.providers.virtualbox.manage import parse_info
from labctl.providers.virtualbox.provider import VirtualBoxProvider
from labctl.providers.vm.archive import copy_file
from labctl.providers.vm.ovf import make_virtualbox_box
from labctl.topology.spec import ProviderName, Role, Spec
from tests.providers.virtualbox.box import VirtualBox
from tests.providers.virtualbox.conftest import need

pytestmark = [pytest.mark.engine, pytest.mark.virtualbox, pytest.mark.slow]

REFERENCE = "labctl-jms-13-00000000b0b0"
SPEC = Spec(lab="bundled", provider=ProviderName.VIRTUALBOX, jvbs=0, visitors=0, small=True)


@dataclass(frozen=True)
class EmptyBox:
    """A store with one box."""

    box: Path

    def ensure_tools(self, progress: object) -> None:
        pass

    def packages(self, reference: str) -> dict[str, Installed]:
        return {}

    def installed(self, reference: str) -> tuple[DebPackage, ...]:
        return ()

    def archives(self, references: Sequence[str]) -> Sequence[Archive]:
        def write(target: Path, progress: object) -> None:
            copy_file(self.box, target, silent)

        return [Archive("jms.box", tuple(references), 0, write)]


@dataclass(frozen=True)
class Made:
    """The bundle, and what `vagrant up` said in it."""

    bundle: Bundle
    folder: Path
    path: str
    said: str = ""

    def vagrant(self, *words: str) -> str:
        # From an empty home, with the stand-in for VBoxManage.
        return subprocess.run(
            ["vagrant", *words, "--no-color"],
            cwd=self.folder,
            env={"PATH": self.path, "HOME": str(self.folder.parent), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
        ).stdout


@pytest.fixture(scope="module")
def made(virtualbox: VirtualBox, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A bundle with a blank in its path, after a `vagrant up` that came as far as it can."""
    for program in ("vagrant", "xorriso", "qemu-img"):
        need(program)
    scratch = tmp_path_factory.mktemp("empty-box")
    subprocess.run(["qemu-img", "create", "-q", scratch / "disk.raw", "64M"], check=True)
    make_virtualbox_box(
        scratch / "disk.raw",
        reference=REFERENCE,
        role=Role.JMS,
        memory_mib=1024,
        cpus=1,
        target=scratch / "jms.box",
        scratch=scratch,
        log=scratch / "box.log",
    )
    folder = virtualbox.folder / "a class" / "lab"
    with pytest.MonkeyPatch.context() as patch:
        provider = VirtualBoxProvider(images=EmptyBox(scratch / "jms.box"))  # type: ignore[arg-type]
        patch.setitem(table.TABLE, ProviderName.VIRTUALBOX, provider)  # type: ignore[arg-type]
        patch.setattr(make, "ensure_images_of", lambda *_, **__: {Role.JMS: REFERENCE})
        bundle = make_bundle(SPEC, target=folder, progress=silent)
    # As VirtualBox would have it; the missing driver makes it by a bridge.
    lab = Made(bundle, folder, virtualbox.path)
    virtualbox.log.write_text("")
    return Made(bundle, folder, virtualbox.path, lab.vagrant("up", "--provider", "virtualbox"))


def test_only_the_missing_driver_stops_vagrant(made: Made, virtualbox: VirtualBox) -> None:
    assert "has terminated unexpectedly during startup" in made.said, made.said
    assert "A customization command failed" not in made.said
    calls = virtualbox.log.read_text().splitlines()
    assert [line.split()[0] for line in calls if not line.startswith("showvminfo")][-1] == "startvm"


def test_the_machine_has_its_seed_and_its_address(made: Made, virtualbox: VirtualBox) -> None:
    said = virtualbox.manage("showvminfo", "labctl-bundled-jms", "--machinereadable")
    info = parse_info(said)
    assert {
        "memory": "1536",
        "nic1": "nat",
        "nic2": "hostonly",
        "nictype2": "virtio",
        "macaddress2": made.bundle.machines["jms"]["mac"],
        "hostonlyadapter2": "vboxnet0",
        "SATA-1-0": str(made.folder / "seeds" / "jms.iso"),
    }.items() <= info.items(), info
    assert "192.168.56.1" in virtualbox.manage("list", "hostonlyifs")


def test_the_seed_tells_the_machine_all_that_it_needs(made: Made, tmp_path: Path) -> None:
    seed = made.folder / "seeds" / "jms.iso"
    out = tmp_path / "seed"
    unpack = ["xorriso", "-osirrox", "on", "-indev", seed, "-extract", "/", out]
    subprocess.run(unpack, check=True, capture_output=True)
    names = {path.name for path in out.iterdir()}
    assert {"host_ed25519", "authorized_keys", "hostname", "10-lab.network"} <= names
    assert {"apply", "place", "place.sh", "units-0", "units-1", "units-2", "finish"} <= names
    network = (out / "10-lab.network").read_text()
    assert "Address=192.168.56.105/24" in network
    assert (out / "place").stat().st_mode & 0o777 == 0o600


def test_destroy_leaves_no_machine(made: Made, virtualbox: VirtualBox) -> None:
    made.vagrant("destroy", "--force")
    assert "labctl-bundled-jms" not in virtualbox.manage("list", "vms")
