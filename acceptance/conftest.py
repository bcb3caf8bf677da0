"""Fixtures of the acceptance suite: the lab, its nodes over ssh, their facts, the crowd's door.

`labctl verify` runs the suite with LABCTL_WORKDIR naming the lab's working directory.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from acceptance import facts as gathering
from acceptance.certificates import services
from acceptance.facts import Facts
from acceptance.rooms import Filling, FullRoom
from acceptance.scan import Scans, scan_all
from labctl.crowd import Target
from labctl.errors import LabError
from labctl.model import Topology
from labctl.network import prove_local
from labctl.ssh import ensure_config
from labctl.waiting import patience, set_patience
from labctl.workdir import ROOT, Workdir

MARKERS = {
    "ports": "which ports are open, and to whom",
    "services": "units, processes, logs",
    "config": "the parts of the configuration agree with each other",
    "brewery": "the bridges, as Jicofo knows them",
    "visitors": "redirection and what visitors see",
    "relays": "one conference on several bridges",
    "regression": "known weaknesses of upstream, each with what would prove it fixed",
    "failover": "bridges are stopped and started",
    "security": "what must not be reachable or readable",
    "slow": "takes more than some seconds, or changes the lab for a while",
}
STAND_IN_NOTICE = (
    "STAND-INS: these packages are labctl's own, not Jitsi's software; what passes here says "
    "nothing about Jitsi's packages: "
)


def _workdir() -> Workdir:
    named = os.environ.get("LABCTL_WORKDIR")
    return Workdir(Path(named) if named else (ROOT / ".lab" / "current").resolve())


def _load() -> tuple[Workdir, Topology]:
    workdir = _workdir()
    set_patience(workdir.patience)
    try:
        return workdir, workdir.load_topology()
    except LabError as error:
        raise pytest.UsageError(f"{error.message} {error.hint or ''}") from None


class Lab:
    """The lab under test: its topology, its nodes over ssh, what they said of themselves."""

    def __init__(self) -> None:
        self.workdir, self.topology = _load()
        addresses = [node.address for node in self.topology.nodes]
        try:
            prove_local(addresses, self.topology.network)
            ensure_config(self.workdir, self.topology)
        except LabError as error:
            raise pytest.UsageError(f"{error.message} {error.hint or ''}") from None
        self.hosts: Mapping[str, Host] = {
            node.name: testinfra.get_host(
                f"ssh://{node.name}", ssh_config=str(self.workdir.ssh_config), sudo=True
            )
            for node in self.topology.nodes
        }
        self.facts: Mapping[str, Facts | str] = gathering.gather(self.topology.nodes, self.hosts)

    def stand_ins(self) -> list[str]:
        """Packages that are stand-ins on any node."""
        answers = (answer for answer in self.facts.values() if isinstance(answer, Facts))
        return sorted({line.split()[0] for a in answers for line in a.lines("stand-ins")})


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    if config.option.collectonly or config.option.help or config.option.markers:
        return
    config.stash[LAB] = Lab()


LAB = pytest.StashKey[Lab]()
FILLING = pytest.StashKey[Filling]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first: those that change the lab come when all others have seen it."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Where the full room is needed it fills while other tests run."""
    lab = session.config.stash.get(LAB, None)
    if lab is None or isinstance(lab.facts["jms"], str):
        return
    if any("full_room" in fixtures_of(item) for item in session.items):
        target = Target.of(lab.topology, lab.workdir)
        session.config.stash[FILLING] = Filling(target, lab.topology.max_participants)


def pytest_sessionfinish(session: pytest.Session) -> None:
    filling = session.config.stash.get(FILLING, None)
    if filling is not None:
        filling.end()


def fixtures_of(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


def pytest_report_header(config: pytest.Config) -> list[str]:
    lab = config.stash.get(LAB, None)
    if lab is None:
        return []
    topology = lab.topology
    names = lab.stand_ins()
    silent = [answer for answer in lab.facts.values() if isinstance(answer, str)]
    return [
        f"lab '{topology.lab}' ({topology.provider}): {len(topology.nodes)} nodes, "
        f"{len(topology.bridges)} bridges, {len(topology.vnodes)} vnodes, {topology.domain}",
        STAND_IN_NOTICE + ", ".join(names) if names else "packages: Jitsi's own",
        *([f"slow machines: every deadline times {patience():g}"] if patience() > 1 else []),
        *silent,
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per node, unit, bridge and vnode of the topology."""
    topology = _load()[1]
    nodes = {node.name: node for node in topology.nodes}
    if "node" in metafunc.fixturenames:
        metafunc.parametrize("node", nodes.values(), ids=nodes)
    if "unit" in metafunc.fixturenames:
        pairs = [(node, unit) for node in nodes.values() for unit in gathering.units_of(node)]
        ids = [f"{node.name}-{unit.removesuffix('.service')}" for node, unit in pairs]
        metafunc.parametrize(("holder", "unit"), pairs, ids=ids)
    if "bridge" in metafunc.fixturenames:
        holders = [node for node in nodes.values() if node.bridge]
        ids = [str(node.bridge) for node in holders]
        metafunc.parametrize("bridge", holders, ids=ids)
    if "service" in metafunc.fixturenames:
        found = services(topology)
        metafunc.parametrize("service", found, ids=[service.label for service in found])
    if "prosody" in metafunc.fixturenames:
        files = {"main": (topology.jms, "/etc/prosody/prosody.cfg.lua")} | {
            vnode.name: (node, f"/etc/prosody-{vnode.name}/prosody.cfg.lua")
            for vnode, node in topology.vnode_nodes()
        }
        metafunc.parametrize("prosody", files.values(), ids=files)
    if "vnode" in metafunc.fixturenames:
        metafunc.parametrize("vnode", topology.vnodes, ids=[v.name for v in topology.vnodes])


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> Lab:
    return request.config.stash[LAB]


@pytest.fixture(scope="session")
def topology(lab: Lab) -> Topology:
    return lab.topology


@pytest.fixture(scope="session")
def facts(lab: Lab) -> Mapping[str, Facts | str]:
    return lab.facts


@pytest.fixture(scope="session")
def vnode_holders(topology: Topology) -> Mapping[str, str]:
    """Vnode name -> name of the node that holds it."""
    return {vnode.name: node.name for vnode, node in topology.vnode_nodes()}


@pytest.fixture(scope="session")
def jms(lab: Lab) -> Host:
    """The JMS over ssh, as root; where it is silent, that is said once and not waited for again."""
    gathering.of(lab.facts, "jms")
    return lab.hosts["jms"]


@pytest.fixture(scope="session")
def target(lab: Lab) -> Target:
    """The crowd's door: nginx on the JMS, verified against the lab's CA."""
    gathering.of(lab.facts, "jms")
    return Target.of(lab.topology, lab.workdir)


@pytest.fixture(scope="session")
def scans(lab: Lab) -> Scans:
    """Which ports answer the host and one node of each role."""
    silent = [name for name, answer in lab.facts.items() if isinstance(answer, str)]
    return scan_all(lab.topology, lab.hosts, silent=silent)


@pytest.fixture(scope="module")
def full_room(request: pytest.FixtureRequest, target: Target) -> Iterator[FullRoom]:
    """`max_participants` joined one after another, then three more."""
    with request.config.stash[FILLING].full() as found:
        yield found


@pytest.fixture
def room() -> Iterator[str]:
    """A name that no other conference has."""
    yield f"accept-{secrets.token_hex(4)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A LabError is a sentence for people: it is shown instead of a traceback."""
    report = yield
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, LabError):
        report.longrepr = f"{error.message}" + (f"\nHint: {error.hint}" if error.hint else "")
    return report
