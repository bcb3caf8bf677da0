"""Keys: made once, kept, private, known beforehand."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.node.keys import ensure_key, ensure_keys
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir


def topology(jvbs: int) -> Topology:
    return resolve(Spec(lab="demo", jvbs=jvbs, visitors=1))


def contents(workdir: Workdir) -> dict[str, bytes]:
    files = (path for path in workdir.ssh.rglob("*") if path.is_file())
    return {str(path.relative_to(workdir.ssh)): path.read_bytes() for path in files}


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    workdir = Workdir.of("demo", root=tmp_path)
    ensure_keys(Lab(workdir, topology(jvbs=2)))
    return workdir


def test_each_node_has_its_own_host_key_and_knows_the_labs_user(workdir: Workdir) -> None:
    nodes = ("jms", "jvb1", "jvb2", "visitors1")
    keys = {(workdir.ssh / "nodes" / node / "host_ed25519.pub").read_text() for node in nodes}
    assert len(keys) == len(nodes)
    user = (workdir.ssh / "id_ed25519.pub").read_text()
    for node in nodes:
        assert (workdir.ssh / "nodes" / node / "authorized_keys").read_text() == user


def test_private_keys_are_private_and_authorized_keys_readable(workdir: Workdir) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in workdir.ssh.rglob("*")}
    assert modes["id_ed25519"] == modes["host_ed25519"] == 0o600
    assert modes["authorized_keys"] == 0o644
    assert workdir.ssh.stat().st_mode & 0o777 == 0o700


def test_known_hosts_names_node_and_address(workdir: Workdir) -> None:
    lines = (workdir.ssh / "known_hosts").read_text().splitlines()
    public = (workdir.ssh / "nodes" / "jvb1" / "host_ed25519.pub").read_text()
    assert len(lines) == 4
    assert f"jvb1,192.168.56.106 {' '.join(public.split()[:2])}" in lines


def test_a_second_run_changes_nothing(workdir: Workdir) -> None:
    before = contents(workdir)
    ensure_keys(Lab(workdir, topology(jvbs=2)))
    assert contents(workdir) == before


def test_other_nodes_keep_their_keys_when_one_goes_and_one_comes(workdir: Workdir) -> None:
    before = contents(workdir)
    ensure_keys(Lab(workdir, topology(jvbs=1)))
    assert not (workdir.ssh / "nodes" / "jvb2").exists()
    ensure_keys(Lab(workdir, topology(jvbs=2)))
    after = contents(workdir)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"nodes/jvb2/host_ed25519", "nodes/jvb2/host_ed25519.pub", "known_hosts"}


def test_a_broken_key_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "id_ed25519"
    path.write_text("nonsense\n")
    with pytest.raises(LabError, match="cannot be read") as caught:
        ensure_key(path, comment="x")
    assert caught.value.hint


@pytest.mark.programs
def test_openssh_reads_the_key_and_derives_the_same_public_line(workdir: Workdir) -> None:
    key = workdir.ssh / "id_ed25519"
    said = subprocess.run(
        ["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True
    ).stdout
    assert said.split()[:2] == key.with_suffix(".pub").read_text().split()[:2]
