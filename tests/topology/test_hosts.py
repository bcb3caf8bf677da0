"""The machines of a lab on several: their addresses and names, and which node goes where."""

from __future__ import annotations

import json

import pytest

from labctl.topology.hosts import find_host, host_name, is_address, is_here
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import Spec

HOSTS = ("local", "ssh://lab2", "ssh://me@lab3:2222")


def placed(spec: Spec) -> dict[str, str]:
    return {node.name: node.host for node in resolve(spec).nodes}


@pytest.mark.parametrize("text", [*HOSTS, "ssh://10.0.0.5", "ssh://lab.example"])
def test_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "lab2",
        "unix:///var/run/docker.sock",
        "tcp://lab2:2375",
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://-l@lab2",
        "ssh://lab2/path",
        "ssh://lab2 x",
        "ssh://lab2\n",
        "ssh://lab2,ssh://lab3",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert not is_address(text)


def test_a_machines_name_is_its_address_without_a_user() -> None:
    assert [host_name(host) for host in HOSTS] == ["local", "lab2", "lab3:2222"]
    assert [find_host(name, HOSTS) for name in ("lab2", "ssh://lab2", "lab4")] == [
        "ssh://lab2",
        "ssh://lab2",
        None,
    ]


def test_nodes_take_turns_and_the_jms_is_on_the_first_machine() -> None:
    spec = Spec(hosts=HOSTS, jvbs=4, visitors=12, visitors_per_node=6)
    assert placed(spec) == {
        "jms": HOSTS[0],
        "jvb1": HOSTS[1],
        "jvb2": HOSTS[2],
        "jvb3": HOSTS[0],
        "jvb4": HOSTS[1],
        "visitors1": HOSTS[1],
        "visitors2": HOSTS[2],
    }


def test_a_lab_that_grows_moves_no_node() -> None:
    few, many = (placed(Spec(hosts=HOSTS, jvbs=count, visitors=8)) for count in (2, 7))
    assert few.items() <= many.items()


def test_a_node_wins_over_its_role_and_its_role_over_the_turns() -> None:
    placement = {"jvb": "lab2", "jvb2": "lab3:2222", "jms": "ssh://lab2"}
    spec = Spec(hosts=HOSTS, placement=placement, jvbs=3, visitors=0)
    assert placed(spec) == {
        "jms": HOSTS[1],
        "jvb1": HOSTS[1],
        "jvb2": HOSTS[2],
        "jvb3": HOSTS[1],
    }


def test_a_lab_on_one_machine_has_no_hosts_in_its_topology() -> None:
    topology = resolve(Spec())
    assert {node.host for node in topology.nodes} == {""}
    assert not any("host" in node for node in topology.to_json()["nodes"])


def test_hosts_go_through_json() -> None:
    topology = resolve(Spec(hosts=HOSTS, placement={"jms": "lab2"}))
    assert Topology.from_json(json.loads(json.dumps(topology.to_json()))) == topology


@pytest.mark.parametrize(("host", "here"), [("", True), ("local", True), ("ssh://lab2", False)])
def test_which_host_is_this_machine(host: str, here: bool) -> None:
    assert is_here(host) is here
