"""What doctor says about a machine."""

from __future__ import annotations

import json
from dataclasses import asdict
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from labctl import checks, doctor
from labctl.checks import Check, Status
from labctl.docker import checks as docker_checks
from labctl.docker.engine import Answer, Asked, Engine
from labctl.hostneeds import Need
from labctl.model import Provider
from labctl.network import Interface
from labctl.virtualbox.claims import Claim, save_claims

OVERLAY = Engine("26.1.5", Path("/var/lib/docker"), "v2, systemd", "overlay2")
VFS = Engine("26.1.5", Path("/var/lib/docker"), "v2, systemd", "vfs")


@pytest.mark.parametrize(
    ("check", "status", "found"),
    [
        pytest.param(doctor.check_memory(4096), Status.OK, "4.0 GiB available", id="memory"),
        pytest.param(doctor.check_memory(1024), Status.WARN, "1.0 GiB available", id="little"),
        pytest.param(doctor.check_memory(512), Status.FAIL, "0.5 GiB available", id="too little"),
        pytest.param(checks.check_disk("disk", 10240), Status.OK, "10.0 GiB free", id="disk"),
        pytest.param(checks.check_disk("disk", 2048), Status.WARN, "2.0 GiB free", id="low disk"),
        pytest.param(checks.check_disk("disk", 0), Status.FAIL, "0.0 GiB free", id="full disk"),
        pytest.param(doctor.check_cpus(2), Status.OK, "2", id="cpus"),
        pytest.param(doctor.check_cpus(1), Status.WARN, "1", id="one cpu"),
        pytest.param(docker_checks.check_mtu(1500), Status.OK, "1500", id="mtu"),
        pytest.param(
            docker_checks.check_mtu(1400),
            Status.WARN,
            "1400 on the way out, below 1500",
            id="low mtu",
        ),
        pytest.param(
            docker_checks.check_engine(Asked(Answer.RUNS, OVERLAY)),
            Status.OK,
            "26.1.5, storage overlay2, cgroups v2, systemd",
            id="engine",
        ),
        pytest.param(
            docker_checks.check_engine(Asked(Answer.RUNS, VFS)),
            Status.WARN,
            "26.1.5, storage vfs, cgroups v2, systemd",
            id="engine without overlays",
        ),
        pytest.param(
            docker_checks.check_engine(Asked(Answer.DENIED)),
            Status.FAIL,
            "runs, but this user may not use it",
            id="engine of others",
        ),
    ],
)
def test_judgement(check: Check, status: Status, found: str) -> None:
    assert (check.status, check.found) == (status, found)
    assert status is Status.OK or check.hint


def test_missing_command_says_what_for_and_how() -> None:
    check = doctor.check_need(Need("nowhere-to-be-found", ("some-package",), "is needed here"))
    assert check.status is Status.FAIL
    assert check.found == "missing: it is needed here"
    assert "apt-get install -y --no-install-recommends some-package" in (check.hint or "")


@pytest.mark.parametrize(
    ("folders", "file", "status"),
    [
        pytest.param([], "cgroup.controllers", Status.OK, id="v2"),
        pytest.param(["systemd"], None, Status.OK, id="v1"),
        pytest.param(["cpu"], None, Status.FAIL, id="v1 without systemd's"),
    ],
)
def test_cgroups(tmp_path: Path, folders: list[str], file: str | None, status: Status) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir()
    if file is not None:
        (tmp_path / file).touch()
    assert docker_checks.check_cgroups(tmp_path).status is status


def test_free_space_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert checks.free_mib(tmp_path / "not" / "there") > 0


def test_available_memory() -> None:
    assert doctor.parse_available("MemTotal: 9 kB\nMemAvailable:   2097152 kB\n") == 2048
    assert doctor.parse_available("") == 0


def test_table_shows_hints_only_where_something_is_wrong() -> None:
    table = [
        Check("memory", Status.OK, "4.0 GiB available"),
        Check("docker engine", Status.FAIL, "does not answer", "Start it."),
    ]
    assert checks.render_checks(table) == (
        "ok    memory         4.0 GiB available\n"
        "fail  docker engine  does not answer\n"
        "                     -> Start it."
    )


def test_public_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.network.read_interfaces", lambda: ())
    check = doctor.check_network(IPv4Network("203.0.113.0/24"))
    assert check.status is Status.FAIL
    assert "not private" in check.found


def test_network_of_another_interface_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = (Interface("vpn0", (IPv4Interface("10.255.254.7/16"),)),)
    monkeypatch.setattr("labctl.network.read_interfaces", lambda: interfaces)
    monkeypatch.setattr("labctl.network.read_routes", lambda: ())
    check = doctor.check_network(IPv4Network("10.255.254.0/24"))
    assert check.status is Status.FAIL
    assert "taken on this machine by interface 'vpn0'" in check.found


def test_network_of_a_lab_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = (Interface("lab-0123abcd", (IPv4Interface("10.255.254.1/24"),)),)
    monkeypatch.setattr("labctl.network.read_interfaces", lambda: interfaces)
    monkeypatch.setattr("labctl.network.read_routes", lambda: ())
    check = doctor.check_network(IPv4Network("10.255.254.0/24"))
    assert check == Check("lab network", Status.OK, "10.255.254.0/24 is a lab of labctl")


def test_virtualboxs_interface_of_a_lab_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = (Interface("vboxnet3", (IPv4Interface("10.255.254.1/24"),)),)
    monkeypatch.setattr("labctl.network.read_interfaces", lambda: interfaces)
    monkeypatch.setattr("labctl.network.read_routes", lambda: ())
    network = IPv4Network("10.255.254.0/24")
    assert doctor.check_network(network).status is Status.FAIL
    save_claims({"vboxnet3": Claim("/home/ann/.lab/demo", str(network), made=True)})
    assert doctor.check_network(network).status is Status.OK


@pytest.mark.engine
def test_this_machine() -> None:
    found = doctor.examine(Provider.DOCKER, IPv4Network("10.255.254.0/24"))
    names = [check.name for check in found]
    assert len(names) == len(set(names))
    assert {"python", "docker", "docker engine", "lab network", "disk, images"} <= set(names)
    assert json.loads(json.dumps([asdict(check) for check in found]))[0]["status"] == "ok"
