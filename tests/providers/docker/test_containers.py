"""A lab's containers and networks as the engine tells of them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from labctl.core.process import Result
from labctl.host.network import bridge_name
from labctl.providers.docker import containers
from labctl.providers.docker.containers import Container, outdated, parse_containers
from labctl.providers.docker.network import DockerNetwork, parse_networks
from labctl.topology.layout import resolve
from labctl.topology.spec import Role, Size, Spec
from labctl.topology.workdir import Workdir

CPUS = min(2, os.cpu_count() or 1)
SPEC = Spec(lab="demo", jvbs=2, visitors=0)
TOPOLOGY = resolve(SPEC).with_images({role: f"labctl/{role}:1" for role in Role})
JVB1 = Container(
    id="f00",
    node="jvb1",
    state="running",
    image="labctl/jvb:1",
    address="192.168.56.106",
    memory=2048 * 1024**2,
    nano_cpus=CPUS * 10**9,
    hosts={name: str(address) for name, address in TOPOLOGY.hosts.items()},
)


def inspected(**changes: Any) -> str:
    entry = {
        "Id": "f00",
        "State": {"Status": "exited"},
        "Config": {
            "Image": "labctl/jvb:1",
            "Labels": {"labctl.lab": "demo", "labctl.node": "jvb1", "labctl.workdir": "/x"},
        },
        "HostConfig": {
            "Memory": 2048 * 1024**2,
            "NanoCpus": CPUS * 10**9,
            "ExtraHosts": [f"{name}:{address}" for name, address in TOPOLOGY.hosts.items()],
        },
        "NetworkSettings": {
            "Networks": {"labctl-demo": {"IPAMConfig": {"IPv4Address": "192.168.56.106"}}}
        },
    }
    return json.dumps([entry | changes])


def test_a_container_is_read_as_it_was_made() -> None:
    assert parse_containers(inspected()) == (replace(JVB1, state="stopped"),)


def test_a_container_of_another_network_has_no_address() -> None:
    (found,) = parse_containers(inspected(NetworkSettings={"Networks": {"bridge": None}}))
    assert found.address == ""
    assert outdated(found, TOPOLOGY) == "its address changed"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        pytest.param(JVB1, None, id="as wanted"),
        pytest.param(replace(JVB1, hosts={k: v for k, v in JVB1.hosts.items() if k != "jvb2"}),
                     None, id="a node was added since"),
        pytest.param(replace(JVB1, node="jvb9"), "the lab no longer has this node", id="gone"),
        pytest.param(replace(JVB1, image="labctl/jvb:0"), "its image changed", id="image"),
        pytest.param(replace(JVB1, memory=1), "its memory changed", id="memory"),
        pytest.param(replace(JVB1, nano_cpus=1), "its CPUs changed", id="CPUs"),
        pytest.param(replace(JVB1, address="10.0.0.6"), "its address changed", id="address"),
        pytest.param(replace(JVB1, hosts={"jms": "192.168.56.105"}), "the lab's domain changed",
                     id="domain"),
    ],
)  # fmt: skip
def test_what_makes_a_container_outdated(found: Container, why: str | None) -> None:
    assert outdated(found, TOPOLOGY) == why


def test_more_cpus_than_the_machine_has_are_no_difference() -> None:
    many = resolve(replace(SPEC, sizes={role: Size(2048, 4096) for role in Role}))
    found = replace(JVB1, image="", nano_cpus=(os.cpu_count() or 1) * 10**9)
    assert outdated(found, many) is None


def test_networks_are_read_with_and_without_subnet() -> None:
    text = json.dumps(
        [
            {"Name": "host", "Labels": {}, "Options": None, "IPAM": {"Config": None}},
            {
                "Name": "labctl-demo",
                "Labels": {"labctl.lab": "demo"},
                "Options": {"com.docker.network.bridge.name": "lab-12345678"},
                "IPAM": {"Config": [{"Subnet": "fd00::/64"}, {"Subnet": "192.168.56.0/24"}]},
            },
        ]
    )
    assert parse_networks(text) == (
        DockerNetwork("host", None, {}, ""),
        DockerNetwork(
            "labctl-demo", IPv4Network("192.168.56.0/24"), {"labctl.lab": "demo"}, "lab-12345678"
        ),
    )


def test_the_bridges_name_is_stable_short_and_of_one_folder(tmp_path: Path) -> None:
    one, two = Workdir.of("a" * 60, root=tmp_path), Workdir.of("b", root=tmp_path)
    assert bridge_name(one) == bridge_name(one) != bridge_name(two)
    assert len(bridge_name(one)) <= 15


@pytest.mark.parametrize(
    ("logs", "journal", "shown"),
    [
        pytest.param(
            (0, "Failed to mount cgroup", ""), (1, "", ""), "Failed to mount cgroup", id="logs"
        ),
        pytest.param((0, "", "Freezing execution"), (1, "", ""), "Freezing execution", id="errors"),
        pytest.param((0, "", ""), (0, "Stopped ssh", ""), "Stopped ssh", id="journal"),
        pytest.param((1, "", "No such container"), (1, "", "No such container"), "", id="none"),
    ],
)
def test_console(
    logs: tuple[int, str, str],
    journal: tuple[int, str, str],
    shown: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(argv: list[str], **_: object) -> Result:
        assert "labctl-demo-jms" in argv
        code, output, errors = logs if argv[1] == "logs" else journal
        return Result(tuple(argv), code, output, errors)

    monkeypatch.setattr(containers, "run", run)
    assert containers.read_console(Workdir(Path("demo")), "jms") == shown
