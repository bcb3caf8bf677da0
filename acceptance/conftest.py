"""Fixtures of the acceptance suite: the lab, its nodes over ssh, their facts, the crowd's door.

`labctl verify` runs the suite with LABCTL_WORKDIR naming the lab's working directory.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest

from acceptance import facts as gathering
from acceptance.bridges import BACK_SECONDS, Bridges
from acceptance.certificates import services
from acceptance.early import Early
from acceptance.facts import Facts
from acceptance.media import Media, Seen
from acceptance.older import PLUGINS, ask_versions, judge_by_age
from acceptance.remote import Machine
from acceptance.rooms import Filling, FullRoom
from acceptance.scan import Scans, scan_all
from acceptance.talks import Lines, Spellings, Talks, lines_talk, spellings_talk, tenants_talk
from acceptance.undertest import LabUnderTest, load_lab
from labctl.core.errors import LabError
from labctl.core.waiting import Patience
from labctl.crowd import Target
from labctl.topology.lab import Lab
from labctl.topology.model import Topology
from labctl.topology.roles import prosody_units
from labctl.topology.spec import Auth

MARKERS = {
    "ports": "which ports are open, and to whom",
    "services": "units, processes, logs",
    "config": "the parts of the configuration agree with each other",
    "brewery": "the bridges, as Jicofo knows them",
    "visitors": "redirection and what visitors see",
    "tenants": "rooms of tenants, apart from each other",
    "auth": "tokens, accounts and guests; whether rooms can have a lobby",
    "rooms": "names of rooms as people type them",
    "transport": "conference requests over HTTP, BOSH, streams that are resumed",
    "moderation": "what moderators do, and who is told of it",
    "media": "sound and picture through every bridge, vnode and TURN server",
    "relays": "one conference on several bridges",
    "regression": "known weaknesses of upstream, each with what would prove it fixed",
    "monitoring": "what Prometheus asks, and its alerts (labs with monitoring)",
    "failover": "bridges are stopped and started",
    "security": "what must not be reachable or readable",
    "slow": "takes more than some seconds, or changes the lab for a while",
    "since(SINCE, OLDER)": "about newer packages only, and what older ones do instead",
}
BEGUN_EARLY: Mapping[str, Callable[[Lab], AbstractContextManager[Any]]] = {
    "talks": tenants_talk,
    "lines": lines_talk,
    "spellings": spellings_talk,
}
"""Fixtures whose conferences begin before the first test."""
STAND_IN_NOTICE = (
    "STAND-INS: these packages are labctl's own, not Jitsi's software; what passes here says "
    "nothing about Jitsi's packages: "
)


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    if config.option.collectonly or config.option.help or config.option.markers:
        return
    config.stash[LAB] = LabUnderTest()


LAB = pytest.StashKey[LabUnderTest]()
FILLING = pytest.StashKey[Filling]()
EARLY = pytest.StashKey[dict[str, Early[Any]]]()
MEDIA = pytest.StashKey[Media]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first: those that change the lab come when all others have seen it."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """What takes time and is needed begins now, while other tests run."""
    lab = session.config.stash.get(LAB, None)
    if lab is None or isinstance(lab.facts["jms"], str):
        return
    if any("media" in fixtures_of(item) for item in session.items):
        session.config.stash[MEDIA] = Media(lab.lab)
    if any("full_room" in fixtures_of(item) for item in session.items):
        target = Target.of(lab.lab)
        session.config.stash[FILLING] = Filling(target, lab.topology.spec.max_participants)
    used = {name for item in session.items for name in fixtures_of(item)}
    session.config.stash[EARLY] = {
        name: Early(make, lab.lab) for name, make in BEGUN_EARLY.items() if name in used
    }


def pytest_sessionfinish(session: pytest.Session) -> None:
    filling = session.config.stash.get(FILLING, None)
    if filling is not None:
        filling.end()
    media = session.config.stash.get(MEDIA, None)
    if media is not None:
        media.end()
    for early in session.config.stash.get(EARLY, {}).values():
        early.end()


def fixtures_of(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


def pytest_report_header(config: pytest.Config) -> list[str]:
    lab = config.stash.get(LAB, None)
    if lab is None:
        return []
    topology, factor = lab.topology, lab.patience.factor
    names = lab.stand_ins()
    silent = [answer for answer in lab.facts.values() if isinstance(answer, str)]
    return [
        f"lab '{topology.lab}' ({topology.provider}): {len(topology.nodes)} nodes, "
        f"{len(topology.bridges)} bridges, {len(topology.vnodes)} vnodes, {topology.domain}",
        STAND_IN_NOTICE + ", ".join(names) if names else "packages: Jitsi's own",
        *([f"slow machines: every deadline times {factor:g}"] if factor > 1 else []),
        *silent,
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per node, unit, bridge and vnode of the topology."""
    topology = load_lab().topology
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
        files = {
            unit.vnode.name if unit.vnode else "main": (node, unit.configs[0].path)
            for node in topology.nodes
            for unit in prosody_units(node)
        }
        metafunc.parametrize("prosody", files.values(), ids=files)
    if "vnode" in metafunc.fixturenames:
        metafunc.parametrize("vnode", topology.vnodes, ids=[v.name for v in topology.vnodes])


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest) -> LabUnderTest:
    return request.config.stash[LAB]


@pytest.fixture(scope="session")
def topology(lab: LabUnderTest) -> Topology:
    return lab.topology


@pytest.fixture(scope="session")
def patience(lab: LabUnderTest) -> Patience:
    return lab.patience


@pytest.fixture(scope="session")
def facts(lab: LabUnderTest) -> Mapping[str, Facts | str]:
    return lab.facts


@pytest.fixture(scope="session")
def vnode_holders(topology: Topology) -> Mapping[str, str]:
    """Vnode name -> name of the node that holds it."""
    return {vnode.name: node.name for vnode, node in topology.vnode_nodes()}


@pytest.fixture(scope="session")
def jms(lab: LabUnderTest) -> Machine:
    """The JMS over ssh, as root; where it is silent, that is said once and not waited for again."""
    gathering.of(lab.facts, "jms")
    return lab.machines["jms"]


@pytest.fixture(scope="session")
def installed(jms: Machine) -> Mapping[str, str]:
    """The versions of the packages whose behaviour depends on them, as the JMS has them."""
    return ask_versions(jms)


@pytest.fixture(autouse=True)
def _by_age(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("since") is not None:
        judge_by_age(request, request.getfixturevalue("installed"))


@pytest.fixture(scope="session")
def newer_plugins(installed: Mapping[str, str]) -> bool:
    """Whether Jitsi's Prosody plugins are as those of August 2026."""
    return PLUGINS.known(installed) is True


@pytest.fixture(scope="session")
def target(lab: LabUnderTest) -> Target:
    """The crowd's door: nginx on the JMS, verified against the lab's CA."""
    gathering.of(lab.facts, "jms")
    return Target.of(lab.lab)


@pytest.fixture(scope="session")
def scans(lab: LabUnderTest) -> Scans:
    """Which ports answer the host and one node of each role."""
    silent = [name for name, answer in lab.facts.items() if isinstance(answer, str)]
    return scan_all(lab.lab, lab.machines, silent=silent)


@pytest.fixture(scope="session")
def media(request: pytest.FixtureRequest, jms: Machine) -> Seen:
    """What came of all that was tried with sound and picture."""
    return request.config.stash[MEDIA].seen()


@pytest.fixture(scope="module")
def full_room(request: pytest.FixtureRequest, target: Target) -> Iterator[FullRoom]:
    """`max_participants` joined one after another, then three more."""
    with request.config.stash[FILLING].full() as found:
        yield found


def _early(request: pytest.FixtureRequest, name: str) -> Iterator[Any]:
    early = request.config.stash[EARLY][name]
    try:
        yield early.value()
    finally:
        early.end()


@pytest.fixture(scope="module")
def talks(request: pytest.FixtureRequest, jms: Machine) -> Iterator[Talks]:
    """People of several tenants, in rooms of the same name."""
    yield from _early(request, "talks")


@pytest.fixture(scope="module")
def lines(request: pytest.FixtureRequest, jms: Machine) -> Iterator[Lines]:
    """People who came in by different ways, in one room."""
    yield from _early(request, "lines")


@pytest.fixture(scope="module")
def spellings(request: pytest.FixtureRequest, jms: Machine) -> Iterator[Spellings]:
    """Two people in each of several rooms, whose name they typed differently."""
    yield from _early(request, "spellings")


@pytest.fixture
def bridges(lab: LabUnderTest) -> Iterator[Bridges]:
    """The bridges; all of them run again afterwards, whatever happened."""
    found = Bridges(lab)
    found.wait_operational(len(found.nodes), seconds=BACK_SECONDS)
    yield found
    found.start(*found.nodes)
    found.wait_operational(len(found.nodes), seconds=BACK_SECONDS)


@pytest.fixture
def anybody_begins(topology: Topology) -> None:
    """For tests that ask over HTTP for new conferences, without having logged in."""
    if topology.spec.auth is Auth.INTERNAL:
        pytest.skip("in this lab only accounts begin conferences ('auth = internal')")


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
