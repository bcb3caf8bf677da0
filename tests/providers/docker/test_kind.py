"""Which engine answers, where it is, and what is said before anything is baked.

The answers are those of real programs, cut to the fields that matter: Docker 20.10.24 and podman
4.3.1 of Debian 12 (its own `info`, and its service asked by Docker's client).  Those of rootless
Docker and Docker Desktop follow their documentation: neither can run here.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from labctl.core.checks import CheckStatus
from labctl.core.errors import LabError
from labctl.providers.docker import checks, engine, kind
from labctl.providers.docker.engine import parse_info
from labctl.providers.docker.kind import EngineKind, find_endpoint, is_here, refuse_kind

DOCKER = {
    "ServerVersion": "20.10.24+dfsg1", "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
    "SecurityOptions": ["name=seccomp,profile=default"], "ProductLicense": "", "Driver": "overlay2",
    "DockerRootDir": "/var/lib/docker", "CgroupVersion": "1", "CgroupDriver": "cgroupfs",
}  # fmt: skip
PODMAN_SERVICE = {
    "ServerVersion": "4.3.1", "OperatingSystem": "debian", "ProductLicense": "Apache-2.0",
    "SecurityOptions": ["name=seccomp,profile=default"], "Driver": "overlay",
    "CgroupVersion": "1", "CgroupDriver": "cgroupfs", "DefaultRuntime": "crun", "InitBinary": "",
}  # fmt: skip
PODMAN_CLIENT = {
    "host": {"arch": "amd64", "buildahVersion": "1.28.2", "cgroupVersion": "v1",
             "ociRuntime": {"name": "crun", "package": "Unknown"}, "serviceIsRemote": False},
    "store": {"graphDriverName": "overlay"}, "version": {"Version": "4.3.1"},
}  # fmt: skip
ROOTLESS = DOCKER | {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}
DESKTOP = DOCKER | {"OperatingSystem": "Docker Desktop"}
OWN = [IPv4Address("10.0.2.15"), IPv4Address("172.17.0.1")]


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (DOCKER, EngineKind.DOCKER),
        (PODMAN_SERVICE, EngineKind.PODMAN),
        (PODMAN_CLIENT, EngineKind.PODMAN),
        (ROOTLESS, EngineKind.ROOTLESS),
        (DESKTOP, EngineKind.DESKTOP),
    ],
)
def test_an_answer_says_which_engine_it_is(info: dict[str, Any], expected: EngineKind) -> None:
    asked = parse_info(json.dumps(info))
    assert asked.engine is not None and asked.engine.kind is expected


@pytest.mark.parametrize(
    ("endpoint", "here"),
    [
        pytest.param("", True, id="the usual socket"),
        pytest.param("unix:///run/user/1000/docker.sock", True, id="another socket"),
        pytest.param("tcp://127.0.0.1:2375", True, id="beside us in one network namespace"),
        pytest.param("tcp://[::1]:2376", True, id="by IPv6"),
        pytest.param("tcp://10.0.2.15:2376", True, id="at an address of ours"),
        pytest.param("tcp://192.0.2.7:2376", False, id="elsewhere"),
        pytest.param("ssh://root@lab1", False, id="by ssh"),
        pytest.param("tcp://", False, id="of no use"),
    ],
)
def test_an_address_says_where_the_engine_is(endpoint: str, here: bool) -> None:
    assert is_here(endpoint, own=OWN) is here


def test_a_name_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"docker": "192.0.2.7", "beside": "127.0.0.1"}
    monkeypatch.setattr(
        kind.socket, "getaddrinfo", lambda name, *_, **__: [(2, 1, 6, "", (answers[name], 0))]
    )
    assert is_here("tcp://beside:2375", own=OWN)
    assert not is_here("tcp://docker:2375", own=OWN)  # GitLab's service, in a namespace of its own


def test_the_clients_own_settings_are_followed(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert find_endpoint(home) == ""
    meta = tmp_path / ".docker" / "contexts" / "meta" / "abc"
    meta.mkdir(parents=True)
    host = "ssh://root@lab1"
    (meta / "meta.json").write_text(
        json.dumps({"Name": "lab1", "Endpoints": {"docker": {"Host": host}}})
    )
    assert find_endpoint(home) == ""
    (tmp_path / ".docker" / "config.json").write_text(json.dumps({"currentContext": "lab1"}))
    assert find_endpoint(home) == host
    assert find_endpoint(home | {"DOCKER_CONTEXT": "default"}) == ""
    assert find_endpoint(home | {"DOCKER_HOST": "tcp://192.0.2.7:2376"}) == "tcp://192.0.2.7:2376"
    (tmp_path / ".docker" / "config.json").write_text("{cut off")
    assert find_endpoint(home) == ""


REFUSED = [
    pytest.param(PODMAN_CLIENT, {}, "podman", "apt-get remove podman-docker", id="podman"),
    pytest.param(ROOTLESS, {}, "rootless", "docker context use default", id="rootless"),
    pytest.param(DESKTOP, {}, "Docker Desktop", "--provider virtualbox", id="desktop"),
    pytest.param(
        DOCKER, {"DOCKER_HOST": "tcp://192.0.2.7:2376"}, "192.0.2.7", "unset DOCKER_HOST",
        id="elsewhere",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("info", "environ", "says", "cure"), REFUSED)
def test_an_engine_that_cannot_run_a_lab_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, info: dict[str, Any], environ: dict[str, str], says: str,
    cure: str,
) -> None:  # fmt: skip
    asked = parse_info(json.dumps(info))
    for module in (engine, checks):
        monkeypatch.setattr(module, "find_endpoint", lambda: environ.get("DOCKER_HOST", ""))
    monkeypatch.setattr(engine, "ask_engine", lambda: asked)
    monkeypatch.setattr(kind, "_own_addresses", lambda: OWN)
    with pytest.raises(LabError) as caught:
        engine.ensure_engine(lambda *_: None)
    assert says in caught.value.message and cure in (caught.value.hint or "")
    assert says in (engine.find_problem() or "")
    check = checks.check_engine(asked)
    assert check.status is CheckStatus.FAIL and cure in (check.hint or "")


def test_the_engine_of_this_machine_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind, "_own_addresses", lambda: OWN)
    assert refuse_kind(EngineKind.DOCKER, "") is None
    assert refuse_kind(EngineKind.DOCKER, "tcp://127.0.0.1:2375") is None
