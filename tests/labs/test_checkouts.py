"""Two checkouts on one machine, both with a lab of the same name: neither touches the other's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from labctl.host.network import bridge_name
from labctl.topology.workdir import Workdir
from tests.labs.conftest import ROOT, Ended, Lab
from tests.labs.test_lab import docker

pytestmark = pytest.mark.lab

PARTS = ("labctl", "provision", "acceptance", "packer", "standins", "bin", "Vagrantfile")


@pytest.fixture
def other(lab: Lab, tmp_path: Path) -> Callable[..., Ended]:
    """labctl of another checkout, for a lab of the same name."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name)
        else:
            shutil.copy(ROOT / name, checkout / name)

    def run(*words: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "labctl", *words, "--lab", lab.name],
            cwd=checkout,
            env={**os.environ, "LABCTL_DEBUG": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return Ended(done.returncode, done.stdout, done.stderr, 0.0)

    return run


def listing(lab: Lab) -> dict[str, str]:
    """What this machine has of the lab, each with its age."""
    # Another process may have a lab of its own, whose name begins like this one's.
    ours = f"label=labctl.workdir={lab.path}"
    ids = docker("ps", "-a", "-q", "--no-trunc", "--filter", ours).split()
    state = "{{.Name}} {{.Id}} {{.State.Status}} {{.State.StartedAt}} {{.State.Pid}}"
    files = [path for path in lab.path.rglob("*") if path.is_file() and "logs" not in path.parts]
    gateway = IPv4Network(lab.topology()["spec"]["network"])[1]
    bridge = bridge_name(Workdir(lab.path))
    return {
        "containers": docker("inspect", "--format", state, *ids),
        "networks": docker("network", "ls", "--no-trunc", "--filter", f"name=^labctl-{lab.name}$"),
        "interface": output("ip", "-br", "-4", "addr", "show", "to", f"{gateway}/32"),
        "rules": "\n".join(line for line in output("iptables-save").splitlines() if bridge in line),
        "files": "\n".join(f"{path} {path.stat().st_mtime_ns}" for path in sorted(files)),
    }


def output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_another_checkout_is_refused_and_touches_nothing(
    lab: Lab, other: Callable[..., Ended]
) -> None:
    before, network = listing(lab), lab.topology()["spec"]["network"]
    up = other("up", "--network", network, "--packages", "stand-ins", "--visitors", "1")
    assert up.code == 1
    assert f"belongs to the lab in '{lab.path}'" in up.err, up.err
    assert "Give this lab another name with '--lab'" in up.err
    for verb in ("status", "halt", "down", "destroy"):
        ended = other(verb)
        assert ended.code == 1, (verb, ended)
        assert f"There is no lab '{lab.name}'" in ended.err, (verb, ended.err)
    assert listing(lab) == before


def test_a_lab_that_was_only_rendered_elsewhere_stops_and_removes_nothing_here(
    lab: Lab, other: Callable[..., Ended]
) -> None:
    """It has a topology, so all verbs know its nodes, whose names are those of this lab's."""
    before, network = listing(lab), lab.topology()["spec"]["network"]
    assert other("render", "--network", network, "--provider", "docker").code == 0
    assert "not_created" in other("status").out
    assert other("halt").code == 0
    assert other("down").code == 0
    assert other("destroy").code == 0
    assert listing(lab) == before
