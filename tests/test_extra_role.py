"""A role is one row: this adds one to a copy of the table and finds it wherever roles show.

What the test does is what a maintainer does for a new role: a member of `Role`, and a row.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labctl.drift import read as drift
from labctl.gate.blame import suspects
from labctl.images.bakeinput import render_packages
from labctl.images.packages import jitsi_set
from labctl.images.plan import ImageKind, plan_images
from labctl.lab import collect, status
from labctl.ready.probe import NodeState, expected_units
from labctl.ready.signals import judge_signals
from labctl.ready.units import UnitState
from labctl.report.failures import things_of
from labctl.report.logs import source_of
from labctl.report.topologysvg import draw_topology
from labctl.spec.build import spec_from_data
from labctl.topology import roles
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.ports import declared_ports, reachable
from labctl.topology.rolefacts import RoleFacts
from labctl.topology.spec import Packages, Role, Size, Spec
from labctl.topology.units import Port, PortOrigin, Proto, UnitFacts
from labctl.topology.workdir import Workdir
from tests.fakes.nodes import FakeNodes
from tests.rendering import fixed_trees

ROOT = Path(__file__).resolve().parent.parent
UNIT = UnitFacts(
    "extra.service",
    2,
    "Extra",
    ports=(Port(Proto.TCP, 7777, PortOrigin.JMS),),
    package="jitsi-meet-web",
    logs=("/var/log/extra/*.log",),
    error_log="/var/log/extra/extra.log",
)
SPEC = Spec(lab="demo", jvbs=1, visitors=1)
RUNS = UnitState("active", "running", 0, "enabled", None)


@pytest.fixture(autouse=True)
def extra(monkeypatch: pytest.MonkeyPatch) -> Role:
    """The member of the enum, and the row in a copy of the table."""
    role = str.__new__(Role, "extra")
    role._name_, role._value_ = "EXTRA", "extra"
    monkeypatch.setitem(Role._member_map_, "EXTRA", role)
    monkeypatch.setitem(Role._value2member_map_, "extra", role)
    monkeypatch.setattr(Role, "_member_names_", [*Role._member_names_, "EXTRA"])
    row = RoleFacts(
        role=role,
        what="a role for this test",
        packages=(),
        debian=("extra-server",),
        units=(UNIT,),
        size=Size(memory_mib=768, cpus=1),
        small=Size(memory_mib=256, cpus=1),
        least_memory_mib=256,
        count=lambda _: 1,
        names="extra{n}",
        first_offset=160,
        caption=("7777/tcp: of no use",),
    )
    monkeypatch.setattr(roles, "TABLE", {**roles.TABLE, role: row})
    return role


@pytest.fixture
def topology(extra: Role) -> Topology:
    found = resolve(SPEC)
    assert found.node("extra1").role is extra
    return found


@pytest.fixture
def workdir(tmp_path: Path, topology: Topology, monkeypatch: pytest.MonkeyPatch) -> Workdir:
    found = Workdir.of("demo", root=tmp_path)
    found.save_topology(topology)
    monkeypatch.setenv("LABCTL_WORKDIR", str(found.path))
    return found


def states_of(topology: Topology, **broken: NodeState) -> dict[str, NodeState]:
    good = {
        node.name: NodeState(
            units=dict.fromkeys(expected_units(node), RUNS),
            ports=frozenset(port for unit in roles.units_of(node) for port in unit.waited_ports),
        )
        for node in topology.nodes
    }
    return good | broken


def test_it_has_a_node_with_its_size_and_place(topology: Topology) -> None:
    node = topology.node("extra1")
    assert (str(node.address), node.size) == ("192.168.56.160", Size(memory_mib=768, cpus=1))
    assert Topology.from_json(json.loads(json.dumps(topology.to_json()))) == topology


def test_lab_conf_takes_its_sizes(extra: Role) -> None:
    data = {"roles": {"extra": {"memory": "1 GiB"}}}
    assert spec_from_data(data, base=Path("/")).sizes[extra] == Size(memory_mib=1024, cpus=1)


def test_its_tree_is_rendered() -> None:
    tree = next(tree for tree in fixed_trees(SPEC) if tree.node == "extra1")
    files = {file.path: file.text for file in tree.files}
    assert set(files) == {
        "/usr/local/share/ca-certificates/labctl-lab-ca.crt",
        "/etc/nftables.conf",
        "/etc/motd",
        "/etc/profile.d/labctl-greeting.sh",
    }
    assert (
        'tcp dport 7777 ip saddr { 192.168.56.105 } accept comment "extra"'
        in files["/etc/nftables.conf"]
    )
    unit = tree.manifest()["units"][-1]
    assert unit == {
        "name": "extra.service", "stage": 2, "change": "restart", "when": [], "ports": [7777],
    }  # fmt: skip


def test_its_port_is_open_to_those_who_need_it(topology: Topology) -> None:
    ports = {port.number: port for port in declared_ports(topology, topology.node("extra1"))}
    assert set(ports) == {22, 7777}
    assert reachable(topology, ports[7777], source=topology.jms.address)
    assert not reachable(topology, ports[7777], source=topology.node("jvb1").address)


def test_its_image_is_planned_and_holds_its_packages(extra: Role) -> None:
    packages = jitsi_set(Packages())
    plan = plan_images(ImageKind.CONTAINER, Role, packages, architecture="amd64", release="13")
    assert plan.roles[extra].startswith("labctl/extra:")
    assert render_packages(packages, role=extra) == "extra-server\n"
    assert roles.image_units(extra) == ("extra", "nftables")


@pytest.mark.parametrize(
    ("state", "signal", "seen"),
    [
        (NodeState(units={"extra.service": RUNS, "nftables.service": RUNS},
                   ports=frozenset({22})), "extra1 ports", "nothing listens on [7777]"),
        (NodeState(units={"nftables.service": RUNS}, ports=frozenset({22, 7777})),
         "extra1 units", "extra.service is unknown"),
    ],
    ids=["port", "unit"],
)  # fmt: skip
def test_readiness_waits_for_it(
    topology: Topology, state: NodeState, signal: str, seen: str
) -> None:
    good = {each.name: each.ok for each in judge_signals(topology, states_of(topology))}
    assert good["extra1 ports"]
    assert good["extra1 units"]
    found = {each.name: each for each in judge_signals(topology, states_of(topology, extra1=state))}
    assert (found[signal].ok, found[signal].seen) == (False, seen)
    assert "extra1 Prosody modules" not in found


def test_status_shows_it(
    topology: Topology, workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Machines:
        def __init__(self, *_: object) -> None:
            pass

        def states(self, **_: object) -> dict[str, str]:
            return {node.name: "running" for node in topology.nodes}

    monkeypatch.setattr(status, "VagrantMachines", Machines)
    monkeypatch.setattr(status, "probe_all", lambda *_: states_of(topology))
    found = status.read_status(Lab.load(workdir))
    [row] = [line for line in status.render_status(found).splitlines() if "extra1" in line]
    assert row.split() == ["extra1", "extra", "192.168.56.160", "running", "2", "active"]


def test_its_logs_are_collected_and_named(
    topology: Topology, workdir: Workdir, nodes: FakeNodes
) -> None:
    nodes.says("extra1")
    collect.node_log(Lab.load(workdir), "extra1")
    [ran] = nodes.ran_on("extra1")
    assert "for file in /var/log/extra/*.log; do" in ran.text
    assert source_of("/var/log/extra/access.log") == "extra"
    assert {"extra"} <= things_of(topology)


def test_the_gate_blames_its_package(topology: Topology) -> None:
    state = NodeState(units=dict.fromkeys(["extra.service"], RUNS), ports=frozenset({22}))
    [found] = suspects(topology, states_of(topology, extra1=state))
    assert (found.node, found.package) == ("extra1", "jitsi-meet-web")
    assert found.log == "/var/log/extra/extra.log"
    assert found.seen == "does not listen on its port 7777"


def test_drift_compares_its_unit(topology: Topology) -> None:
    assert drift._compared_units(topology.node("extra1")) == ("extra",)


def test_the_report_draws_it(topology: Topology) -> None:
    drawing = draw_topology(topology, status=None)
    assert ">extra1<" in drawing
    assert "7777/tcp: of no use" in drawing


class Collected:
    """A plugin that keeps what pytest found and runs nothing."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.names = [item.nodeid for item in session.items]


def test_the_acceptance_suite_tests_it(workdir: Workdir) -> None:
    """The suite itself, collected for this lab: nothing is asked of nodes for that."""
    found = Collected()
    words = ["--collect-only", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
    assert pytest.main([*words, str(ROOT / "acceptance")], plugins=[found]) == 0
    assert workdir.path.is_dir()
    names = {name.removeprefix("acceptance/") for name in found.names}
    expected = {
        "test_services.py::test_unit_is_active_and_enabled[extra1-extra]",
        "test_ports.py::test_declared_ports_answer[extra1]",
        "test_ports.py::test_node_listens_on_declared_ports_only[extra1]",
        "test_services.py::test_journal_is_clean[extra1]",
    }
    assert expected <= names
