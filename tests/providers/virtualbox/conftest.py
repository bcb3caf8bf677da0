"""A VirtualBox of Debian sid in a container, and a box for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from labctl.images.debian import load_mirror, render_settings
from labctl.providers.docker.engine import EngineAnswer, ask_engine
from labctl.providers.vm.ovf import make_virtualbox_box
from labctl.topology.spec import Role
from tests.providers.virtualbox.box import VirtualBox

IMAGE = "labctl-test/virtualbox"
"""Kept from run to run: `docker image rm` it to have a newer VirtualBox."""

REFERENCE = "labctl-jvb-0123456789ab"


@dataclass(frozen=True)
class Box:
    """A box for VirtualBox: its file, its parts unpacked, and what it was asked to be."""

    file: Path
    parts: Path
    reference: str = REFERENCE
    memory_mib: int = 1024
    cpus: int = 2


def need(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"'{program}' is not installed")


@pytest.fixture(scope="session")
def virtualbox_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Docker image with VirtualBox: Debian 12 and 13 have none, so it is Debian sid's."""
    if ask_engine().answer is not EngineAnswer.RUNS:
        pytest.skip("no Docker engine answers")
    if subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True).returncode == 0:
        return IMAGE
    need("mmdebstrap")
    folder = tmp_path_factory.mktemp("virtualbox-tree")
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    tree, settings, mirror = folder / "tree.tar", folder / "apt.conf", load_mirror()
    settings.write_text(render_settings(mirror) + 'APT::Install-Recommends "false";\n')
    command = [
        *("mmdebstrap", "--variant=apt", "--dpkgopt=force-unsafe-io", f"--aptopt={settings}"),
        *("--dpkgopt=path-exclude=/usr/share/doc/*", "--include=virtualbox,iproute2"),
        *("sid", str(tree), f"deb {mirror.main} sid main contrib"),
    ]
    made = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if made.returncode != 0:
        pytest.skip(f"Debian sid's VirtualBox cannot be had here: {made.stderr[-300:]}")
    subprocess.run(["docker", "import", str(tree), IMAGE], check=True, capture_output=True)
    tree.unlink()
    return IMAGE


@pytest.fixture(scope="module")
def virtualbox(
    virtualbox_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[VirtualBox]:
    """VirtualBox, with no machine and no interface yet."""
    folder = tmp_path_factory.mktemp("virtualbox")
    command = [
        *("docker", "run", "--detach", "--rm", "--init", "--network", "none"),
        # For the bridges that stand for host-only interfaces.
        *("--cap-add", "NET_ADMIN", "--volume", f"{folder.parent}:{folder.parent}"),
        *("--env", f"HOME={folder}/home", "--env", "LC_ALL=C.UTF-8"),
        *(virtualbox_image, "sleep", "infinity"),
    ]
    started = subprocess.run(command, check=True, capture_output=True, text=True)
    box = VirtualBox(started.stdout.strip()[:12], folder)
    try:
        box.write_programs()
        (folder / "home").mkdir()
        box.manage("setproperty", "machinefolder", folder / "machines")
        yield box
    finally:
        owner = f"{os.getuid()}:{os.getgid()}"
        box.inside("chown", "-R", owner, folder, check=False)
        subprocess.run(["docker", "kill", box.container], capture_output=True)


@pytest.fixture(scope="session")
def box(base_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Box:
    """A box of a disk that boots; its parts lie where VirtualBox finds them."""
    folder = tmp_path_factory.mktemp("box")
    made = Box(folder / "jvb.box", folder / "parts")
    made.parts.mkdir()
    (folder / "scratch").mkdir()
    make_virtualbox_box(
        base_disk,
        reference=made.reference,
        role=Role.JVB,
        memory_mib=made.memory_mib,
        cpus=made.cpus,
        target=made.file,
        scratch=folder / "scratch",
        log=folder / "box.log",
    )
    with tarfile.open(made.file) as archive:
        archive.extractall(made.parts, filter="data")
    return made
