"""A lab in a folder, brought up by plain Vagrant for a user who has nothing of labctl."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from labctl.core.progress import silent
from labctl.node.ssh import close_masters, ensure_config
from labctl.ready import wait_ready
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir
from tests.labs.conftest import ROOT

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NAME = "bundled"
USER = "labctl-student"
DOCKER = """\
#!/bin/sh
# An engine that does not have the images until they were loaded from the bundle.
case "$1 $2" in
"image inspect") [ -e "$HOME/loaded" ] || exit 1 ;;
"image load") touch "$HOME/loaded" ;;
esac
exec {docker} "$@"
"""


@dataclass(frozen=True)
class Student:
    """A user in the group docker with an empty home, who has copied the bundle."""

    home: Path

    @property
    def bundle(self) -> Path:
        return self.home / NAME

    def vagrant(self, *words: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.home / 'bin'}:/usr/local/bin:/usr/bin:/bin"
        assert shutil.which("labctl", path=path) is None
        return subprocess.run(
            ["vagrant", *words, "--no-color"],
            cwd=self.bundle,
            env={"PATH": path, "HOME": str(self.home), "LC_ALL": "C.UTF-8"},
            user=USER,
            group=USER,
            extra_groups=["docker"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )


@pytest.fixture(scope="module")
def student() -> Iterator[Student]:
    if os.geteuid() != 0:
        pytest.skip("only root makes users")
    subprocess.run(["useradd", "--create-home", "--groups", "docker", USER], check=True)
    found = Student(Path(pwd.getpwnam(USER).pw_dir))
    try:
        (found.home / "bin").mkdir()
        docker = found.home / "bin" / "docker"
        docker.write_text(DOCKER.format(docker=shutil.which("docker")))
        docker.chmod(0o755)
        yield found
    finally:
        if (found.bundle / "Vagrantfile").is_file():
            found.vagrant("destroy", "--force")
        subprocess.run(["userdel", "--remove", USER], capture_output=True, check=False)


@pytest.fixture(scope="module")
def bundle(student: Student, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle as labctl wrote it; the student has a copy."""
    target = tmp_path_factory.mktemp("stick") / NAME
    flags = ["--lab", NAME, "--provider", "docker", "--packages", "stand-ins", "--small"]
    nodes = ["--jvbs", "1", "--visitors", "1", "--network", "192.168.76.0/24"]
    labctl = [ROOT / "bin" / "labctl", "bundle"]
    subprocess.run([*labctl, *flags, *nodes, target], cwd=target.parent, check=True, timeout=600)
    subprocess.run([*labctl, "verify", target], check=True, timeout=60)
    shutil.copytree(target, student.bundle)
    subprocess.run(["chown", "-R", f"{USER}:", student.bundle], check=True)
    return target


def watched(bundle: Path, folder: Path) -> Lab:
    """The lab as labctl sees one of its own, to ask its nodes from outside."""
    path = folder / NAME
    (path / "ssh").mkdir(parents=True, mode=0o700)
    for name, place in {"key": "id_ed25519", "known_hosts": "known_hosts"}.items():
        shutil.copy(bundle / "ssh" / name, path / "ssh" / place)
    shutil.copytree(bundle / "ca", path / "ca")
    for name in ("topology.json", "secrets.json"):
        shutil.copy(bundle / name, path)
    lab = Lab.load(Workdir(path))
    ensure_config(lab)
    return lab


def left_of_it(kind: str) -> str:
    find = ["docker", kind, "ls", "--quiet", "--filter", f"label=labctl.lab={NAME}"]
    find += ["--all"] if kind == "container" else []
    return subprocess.run(find, check=True, capture_output=True, text=True).stdout


def test_a_broken_seed_is_named_before_its_node_is_made(student: Student, bundle: Path) -> None:
    seed = student.bundle / "seeds" / "jms" / "place"
    whole = seed.read_text()
    seed.write_text(whole[:-1] + "!")
    ended = student.vagrant("up", "jms")
    assert ended.returncode != 0
    assert f"'{seed}' is damaged. Copy the bundle again." in ended.stdout
    seed.write_text(whole)
    assert not left_of_it("container")


def test_plain_vagrant_brings_the_lab_up(student: Student, bundle: Path, tmp_path: Path) -> None:
    ended = student.vagrant("up")
    if "No such object" in ended.stdout:
        # Vagrant inspects all containers of the engine, and one of another lab has just gone.
        ended = student.vagrant("up")
    assert ended.returncode == 0, ended.stdout
    assert (student.home / "loaded").exists()
    assert "https://meet.lab.internal/ at 192.168.76.105" in ended.stdout
    lab = watched(bundle, tmp_path)
    try:
        wait_ready(lab, seconds=60, progress=silent)
    finally:
        close_masters(lab.folder)


def test_destroy_leaves_nothing(student: Student, bundle: Path) -> None:
    ended = student.vagrant("destroy", "--force")
    assert ended.returncode == 0, ended.stdout
    assert [left_of_it(kind) for kind in ("container", "network", "volume")] == ["", "", ""]


def test_addresses_of_something_else_are_left_alone(student: Student, bundle: Path) -> None:
    other = "labctl-test-other"
    make = ["docker", "network", "create", "--subnet", "192.168.76.0/24", other]
    subprocess.run(make, check=True, capture_output=True)
    try:
        ended = student.vagrant("up", "jms")
    finally:
        subprocess.run(["docker", "network", "rm", other], check=True, capture_output=True)
    assert ended.returncode != 0
    assert "Network 192.168.76.0/24 is already taken by 'br-" in ended.stdout
    assert not left_of_it("container")
