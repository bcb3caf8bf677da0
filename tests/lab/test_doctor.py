"""What doctor says about a machine."""

from __future__ import annotations

import json
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

import pytest
from click.testing import CliRunner

from labctl.cli.doctor import doctor_command
from labctl.core import checks
from labctl.core.checks import Check, CheckStatus
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.host.needs import Need
from labctl.host.network import Interface
from labctl.lab import doctor
from labctl.providers.docker import checks as docker_checks
from labctl.providers.docker.engine import Asked, Engine, EngineAnswer
from labctl.providers.virtualbox.claims import Claim, save_claims
from labctl.topology.spec import Spec

SMALL = "available, enough for 'labctl up --small'"
NONE = "available, enough for no lab"
OVERLAY = Engine("26.1.5", Path("/var/lib/docker"), "v2, systemd", "overlay2")
VFS = Engine("26.1.5", Path("/var/lib/docker"), "v2, systemd", "vfs")


@pytest.mark.parametrize(
    ("check", "status", "found"),
    [
        pytest.param(
            doctor.check_memory(4096, Spec()), CheckStatus.OK, f"4.0 GiB {SMALL}", id="memory"
        ),
        pytest.param(
            doctor.check_memory(1024, Spec()), CheckStatus.WARN, f"1.0 GiB {NONE}", id="little"
        ),
        pytest.param(
            doctor.check_memory(512, Spec()), CheckStatus.FAIL, f"0.5 GiB {NONE}", id="too little"
        ),
        pytest.param(checks.check_disk("disk", 10240), CheckStatus.OK, "10.0 GiB free", id="disk"),
        pytest.param(
            checks.check_disk("disk", 2048), CheckStatus.WARN, "2.0 GiB free", id="low disk"
        ),
        pytest.param(
            checks.check_disk("disk", 0), CheckStatus.FAIL, "0.0 GiB free", id="full disk"
        ),
        pytest.param(doctor.check_cpus(2), CheckStatus.OK, "2", id="cpus"),
        pytest.param(doctor.check_cpus(1), CheckStatus.WARN, "1", id="one cpu"),
        pytest.param(
            docker_checks.check_mtu(1500), CheckStatus.OK, "1500 on the way out", id="mtu"
        ),
        pytest.param(
            docker_checks.check_mtu(1400),
            CheckStatus.OK,
            "1400 on the way out, below 1500; bakes use this machine's own network",
            id="low mtu",
        ),
    ],
)
def test_judgement(check: Check, status: CheckStatus, found: str) -> None:
    assert (check.status, check.found) == (status, found)
    assert status is CheckStatus.OK or check.hint


@pytest.mark.parametrize(
    ("asked", "status", "found"),
    [
        pytest.param(
            Asked(EngineAnswer.RUNS, OVERLAY),
            CheckStatus.OK,
            "26.1.5, storage overlay2, cgroups v2, systemd",
            id="engine",
        ),
        pytest.param(
            Asked(EngineAnswer.RUNS, VFS),
            CheckStatus.WARN,
            "26.1.5, storage vfs, cgroups v2, systemd",
            id="engine without overlays",
        ),
        pytest.param(
            Asked(EngineAnswer.DENIED),
            CheckStatus.FAIL,
            "is running, but this user may not use it",
            id="engine of others",
        ),
    ],
)
def test_judgement_of_an_engine(
    asked: Asked, status: CheckStatus, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would try with this machine's engine whether that sees this machine's files.
    monkeypatch.setattr(docker_checks, "refuse_files", lambda _: None)
    check = docker_checks.check_engine(asked)
    assert (check.status, check.found) == (status, found)
    assert status is CheckStatus.OK or check.hint


def test_missing_command_says_what_for_and_how() -> None:
    check = doctor.check_need(Need("nowhere-to-be-found", ("some-package",), "is needed here"))
    assert check.status is CheckStatus.FAIL
    assert check.found == "missing: it is needed here"
    assert "apt-get install -y --no-install-recommends some-package" in (check.hint or "")


@pytest.mark.parametrize(
    ("folders", "file", "status"),
    [
        pytest.param([], "cgroup.controllers", CheckStatus.OK, id="v2"),
        pytest.param(["systemd"], None, CheckStatus.OK, id="v1"),
        pytest.param(["cpu"], None, CheckStatus.FAIL, id="v1 without systemd's"),
    ],
)
def test_cgroups(tmp_path: Path, folders: list[str], file: str | None, status: CheckStatus) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir()
    if file is not None:
        (tmp_path / file).touch()
    assert docker_checks.check_cgroups(tmp_path).status is status


def test_free_space_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert checks.free_mib(tmp_path / "not" / "there") > 0


def test_table_shows_hints_only_where_something_is_wrong() -> None:
    table = [
        Check("memory", CheckStatus.OK, "4.0 GiB available"),
        Check("engine", CheckStatus.FAIL, "no answer", "Start it.", Finding.ENGINE_SILENT),
    ]
    assert checks.render_checks(table) == (
        "ok    memory  4.0 GiB available\n"
        "fail  engine  no answer\n"
        "              -> Start it. [engine-silent]\n"
        "Each word in brackets is explained in docs/troubleshooting.md."
    )


def test_public_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.host.network.read_interfaces", lambda: ())
    check = doctor.check_network(IPv4Network("203.0.113.0/24"))
    assert check.status is CheckStatus.FAIL
    assert "not private" in check.found


def test_network_of_another_interface_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = (Interface("vpn0", (IPv4Interface("10.255.254.7/16"),)),)
    monkeypatch.setattr("labctl.host.network.read_interfaces", lambda: interfaces)
    monkeypatch.setattr("labctl.host.network.read_routes", lambda: ())
    monkeypatch.setattr("labctl.host.network.read_rules", lambda: ())
    check = doctor.check_network(IPv4Network("10.255.254.0/24"))
    assert check.status is CheckStatus.FAIL
    assert "taken on this machine by interface 'vpn0'" in check.found


def test_network_of_a_lab_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = (Interface("lab-0123abcd", (IPv4Interface("10.255.254.1/24"),)),)
    monkeypatch.setattr("labctl.host.network.read_interfaces", lambda: interfaces)
    monkeypatch.setattr("labctl.host.network.read_routes", lambda: ())
    monkeypatch.setattr("labctl.host.network.read_rules", lambda: ())
    check = doctor.check_network(IPv4Network("10.255.254.0/24"))
    assert check == Check("lab network", CheckStatus.OK, "10.255.254.0/24 is a lab of labctl")


def test_virtualboxs_interface_of_a_lab_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = (Interface("vboxnet3", (IPv4Interface("10.255.254.1/24"),)),)
    monkeypatch.setattr("labctl.host.network.read_interfaces", lambda: interfaces)
    monkeypatch.setattr("labctl.host.network.read_routes", lambda: ())
    monkeypatch.setattr("labctl.host.network.read_rules", lambda: ())
    network = IPv4Network("10.255.254.0/24")
    assert doctor.check_network(network).status is CheckStatus.FAIL
    save_claims({"vboxnet3": Claim("/home/ann/.lab/demo", str(network), made=True)})
    assert doctor.check_network(network).status is CheckStatus.OK


@pytest.mark.engine
def test_this_machine() -> None:
    said: list[str] = []
    spec = Spec(network=IPv4Network("10.255.254.0/24"))
    found = doctor.look(spec, progress=lambda phase, text, **_: said.append(text))
    names = [check.name for check in found]
    assert len(names) == len(set(names))
    assert {"python", "docker", "docker engine", "lab network", "disk, images"} <= set(names)
    assert json.loads(json.dumps([check.to_json() for check in found]))[0]["status"] == "ok"
    assert said


LINES = [("http://mirror.example/debian", suite) for suite in ("trixie", "trixie-backports")]


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    helper = tmp_path / "apt-helper"
    helper.touch()
    monkeypatch.setattr(doctor, "APT_HELPER", helper)
    monkeypatch.setattr(doctor, "load_mirror", lambda: None)
    monkeypatch.setattr(doctor, "source_lines", lambda mirror, release: LINES)


@pytest.mark.usefixtures("mirror")
def test_every_suite_that_a_bake_reads_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(doctor, "download", lambda uri, target, seconds: asked.append(uri))
    check = doctor.check_mirror("13")
    assert check.found == "has 'trixie', 'trixie-backports'"
    assert sorted(asked) == sorted(f"{uri}/dists/{suite}/InRelease" for uri, suite in LINES)


@pytest.mark.usefixtures("mirror")
def test_a_suite_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(uri: str, target: Path, *, seconds: float) -> None:
        if "backports" in uri:
            raise LabError("HTTP status 404")

    monkeypatch.setattr(doctor, "download", download)
    check = doctor.check_mirror("13")
    assert (check.status, check.finding) == (CheckStatus.WARN, Finding.MIRROR_SILENT)
    assert check.found == "does not answer for 'trixie-backports': HTTP status 404"


@pytest.mark.parametrize(
    ("available", "fits"),
    [
        (16384, "enough for 'labctl up'"),
        (4096, "enough for 'labctl up --small'"),
        (2500, "enough for 'labctl up --small --jvbs 1'"),
    ],
)
def test_the_largest_lab_that_fits_is_named(available: int, fits: str) -> None:
    assert doctor.check_memory(available, Spec()).found.endswith(fits)


def test_a_lab_conf_brings_its_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Spec] = []

    def examine(spec: Spec, **_: object) -> list[Check]:
        asked.append(spec)
        return []

    monkeypatch.setattr(doctor, "examine", examine)
    conf = tmp_path / "lab.conf"
    conf.write_text('hosts = [local, "ssh://lab2"]\nnetwork = "10.1.0.0/24"\n')
    for words in ([], ["--config", str(conf)]):
        assert CliRunner().invoke(doctor_command, words).exit_code == 0
    assert [spec.hosts for spec in asked] == [(), ("local", "ssh://lab2")]
    assert str(asked[1].network) == "10.1.0.0/24"
