"""A lab on a machine whose kernel enforces AppArmor: Debian 12 as a host, in a QEMU guest.

The guest has Docker, Vagrant and Packer of its own release, this project with its Python packages,
and the role images of this machine's engine; it has no network.  Everything but the labs is made
outside at this machine's own speed, because without KVM the guest is about ten times slower.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.core import process
from labctl.core.progress import silent
from labctl.images.debian import load_mirror, load_release
from labctl.images.make import ensure_images
from labctl.images.rootfs import SCRATCH, RootfsJob, make_rootfs
from labctl.providers.docker.images import DOCKER_IMAGES
from labctl.providers.vm.accel import find_accelerator
from labctl.providers.vm.disk import INITRAMFS, SCRIPTS, disk_command
from labctl.providers.vm.guest import Guest
from labctl.providers.vm.qemu import VIRTIO, booted
from labctl.topology.spec import Packages, PackageSource, Role
from tests.labs.conftest import ROOT

pytestmark = pytest.mark.vm

PLACE = "/srv/labctl"
PYTHON = "3.11"
"""Of the guest's release."""

HOST_PACKAGES = (
    *("apparmor", "docker.io", "iptables", "vagrant", "packer", "mmdebstrap", "uidmap"),
    *("debian-archive-keyring", "openssh-client", "python3", "python3-venv"),
)
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")
HARDWARE = replace(VIRTIO, name="a host of labs", memory_mib=4096, cpus=2)

# networkd would take the addresses of Docker's bridges away.
UNMANAGED = "[Match]\nName=docker0 lab-* veth*\n\n[Link]\nUnmanaged=yes\n"
INSIDE = f"""
set -eu
printf '{UNMANAGED}' > /etc/systemd/network/10-docker.network
cd {PLACE}
PIP_NO_INDEX=1 PIP_FIND_LINKS=/srv/wheels HOME=/root bin/labctl --version
"""


def fill(folder: Path) -> None:
    """What the guest gets from here: the project's files, Python packages, and role images."""
    project = folder / "srv" / "labctl"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
    wheels = folder / "srv" / "wheels"
    pip = [sys.executable, "-m", "pip", "download", "-q", "-d", str(wheels)]
    only = [word for each in PLATFORMS for word in ("--platform", each)]
    abis = ("--abi", f"cp{PYTHON.replace('.', '')}", "--abi", "abi3", "--abi", "none")
    target = ("--python-version", PYTHON, "--implementation", "cp", *abis, *only)
    for words in (
        ("--no-deps", "--require-hashes", *target, "-r", str(ROOT / "requirements.lock")),
        # For packages that are published as source only.
        ("setuptools", "wheel"),
    ):
        subprocess.run([*pip, *words], check=True)
    packages = Packages(source=PackageSource.STAND_INS)
    roles = ensure_images(list(Role), packages, store=DOCKER_IMAGES, progress=silent)
    images = folder / "srv" / "images.tar"
    subprocess.run(["docker", "save", "--output", images, *roles.values()], check=True)


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    folder = SCRATCH / f"labctl-apparmor-{os.getpid()}"
    folder.mkdir(mode=0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def disk(scratch: Path) -> Path:
    """The host's disk: Debian 12 with everything that `up` would install."""
    release = replace(load_release(), suite="bookworm", backports="bookworm-backports")
    files = scratch / "files"
    fill(files)
    hook, inside = scratch / "copy-in.sh", scratch / "inside.sh"
    hook.write_text(f'cp -a "{files}/srv/." "$1/srv/"\n', encoding="utf-8")
    inside.write_text(INSIDE, encoding="utf-8")
    wanted = RootfsJob(
        load_mirror(),
        release,
        packages=(*release.base, *release.disk, *HOST_PACKAGES),
        scripts=(*SCRIPTS, inside),
        hooks=(INITRAMFS, hook),
    )
    log = scratch / "build.log"
    tree = make_rootfs(wanted, scratch=scratch, log=log)
    raw, packed = scratch / "disk.raw", scratch / "disk.qcow2"
    environment = {"TMPDIR": str(scratch), "SOURCE_DATE_EPOCH": "1767225600"}
    process.run(disk_command(tree, target=raw), env=environment, log=log, timeout=600)
    tree.unlink()
    process.run(["qemu-img", "convert", "-O", "qcow2", raw, packed], log=log, timeout=900)
    raw.unlink()
    shutil.rmtree(files)
    return packed


@pytest.fixture(scope="module")
def host(disk: Path, scratch: Path) -> Iterator[Guest]:
    """The guest, with Docker running and the images loaded."""
    with booted(
        disk, name="host", accelerator=find_accelerator(), scratch=scratch, hardware=HARDWARE
    ) as guest:
        load = "systemctl start docker && docker load --quiet --input /srv/images.tar"
        guest.run(load, timeout=1800)
        yield guest


def tell(text: str) -> None:
    """For the run's log."""
    os.write(2, f"\n{text[-4000:]}\n".encode())


def test_the_hosts_kernel_enforces_apparmor(host: Guest) -> None:
    said = host.run("cat /sys/module/apparmor/parameters/enabled; aa-enabled; docker info")
    enabled, asked, *info = said.output.splitlines()
    assert (enabled, asked) == ("Y", "Yes")
    assert any("apparmor" in line for line in info)
    confined = "docker run --rm --entrypoint cat $(docker images -q | head -1)"
    profile = host.run(f"{confined} /proc/self/attr/current", timeout=300).output
    # What is not labctl's is confined: the profile is there and holds.
    assert profile.strip() == "docker-default (enforce)"


def test_dockers_profile_refuses_what_labctl_asks_for(host: Guest) -> None:
    """Without labctl's option for AppArmor, a hardened unit of a node ends with 226."""
    script = f"""cd {PLACE} && .venv/bin/python - <<'END'
from labctl.core.progress import silent
from labctl.providers.docker import prove
options = list(prove.NODE_OPTIONS)
at = options.index("apparmor=unconfined")
prove.NODE_OPTIONS = tuple(options[: at - 1] + options[at + 1 :])
prove.BOOT_SECONDS = 120.0
print([check.finding and check.finding.value for check in prove.prove_node(silent)])
END"""
    said = host.run(script, timeout=600).output
    tell(said)
    assert "unit-refused" in said or "node-broken" in said


def test_doctor_proves_that_a_node_runs(host: Guest) -> None:
    said = host.run(f"cd {PLACE} && bin/labctl doctor", timeout=900, check=False).output
    tell(said)
    assert "runs units with ProtectSystem, PrivateTmp" in said


def test_a_lab_comes_up(host: Guest) -> None:
    up = "bin/labctl up --lab demo --jvbs 1 --visitors 2 --small --packages stand-ins"
    ended = host.run(f"cd {PLACE} && {up}", timeout=3000, check=False)
    tell(f"{ended.errors}{ended.output}")
    assert ended.code == 0 and "is media-ready after" in ended.output
    options = "docker inspect labctl-demo-jms --format '{{.AppArmorProfile}}'"
    assert host.run(options).output.strip() == "unconfined"
    failed = "for node in jms jvb1 visitors1; do docker exec labctl-demo-$node systemctl --failed"
    assert "226" not in host.run(f"{failed} --no-legend; done", timeout=300).output
