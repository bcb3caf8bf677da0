"""Two labs at the same time: when a machine bears them, and how they keep in step."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from labctl.core.progress import silent
from labctl.gate import beside as module
from labctl.gate import pairing, run
from labctl.gate.beside import Beside, Room, following, read_room, second_network, why_not_beside
from labctl.gate.job import Found, Phase, SideJob
from labctl.gate.measures import Up
from labctl.gate.model import Side, Trouble
from labctl.gate.pairing import try_pairs
from labctl.gate.run import GatePlan, place_sides
from labctl.host.network import NetworkTakenError
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.spec import Role, Size, Spec
from labctl.topology.workdir import Workdir
from tests.gate.test_session import Told


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A side that waits in vain does not do so for hours."""
    monkeypatch.setattr(module, "MEET_SECONDS", 5.0)


LARGE = Room(processors=16, busy=0.5, available_mib=64 * 1024)
SPECS = [Spec(lab="gate-baseline"), Spec(lab="gate-candidate")]


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (LARGE, None),
        (
            replace(LARGE, processors=2, busy=1.26),
            "two labs at once need 8 free processors (of 2 here, 1.3 are busy)",
        ),
        (
            replace(LARGE, busy=9.0),
            "two labs at once need 8 free processors (of 16 here, 9.0 are busy)",
        ),
        (
            replace(LARGE, available_mib=8192),
            "two labs at once need 19.0 GiB of memory (8.0 GiB available)",
        ),
    ],
    ids=["large", "few processors", "busy", "little memory"],
)
def test_whether_a_machine_bears_two_labs(room: Room, said: str | None) -> None:
    assert why_not_beside(SPECS, room) == said


def test_small_labs_need_little_memory() -> None:
    small = [replace(spec, sizes={role: Size(512, 2) for role in Role}) for spec in SPECS]
    assert why_not_beside(small, replace(LARGE, available_mib=8192)) is None


def test_this_machine_says_what_it_has() -> None:
    room = read_room()
    assert room.processors >= room.busy >= 0 and room.available_mib > 0


def test_the_second_network_is_the_next_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = IPv4Network("192.168.57.0/24")
    monkeypatch.setattr(module, "find_conflict", lambda network: network == taken or None)
    assert second_network(IPv4Network("192.168.56.0/24")) == IPv4Network("192.168.58.0/24")
    assert IPv4Network("192.169.0.0/24") not in list(following(IPv4Network("192.168.255.0/24")))


LABELS = ("baseline", "candidate")


def placed(
    plan: GatePlan, told: Told, tmp_path: Path, *, network: IPv4Network = SPECS[0].network
) -> list[SideJob]:
    specs = [replace(spec, network=network) for spec in SPECS]
    pairs = zip(LABELS, specs, strict=True)
    jobs = [SideJob(label, "debs:/x", spec, tmp_path) for label, spec in pairs]
    return place_sides(plan, jobs, progress=told.progress)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Room]]:
    """The machine, to be changed by a test; no network of it is taken."""
    machine = [LARGE]
    monkeypatch.setattr(run, "read_room", lambda: machine[0])
    monkeypatch.setattr(module, "find_conflict", lambda network: None)
    yield machine


def test_a_large_machine_runs_both_in_two_networks(room: list[Room], tmp_path: Path) -> None:
    told = Told()
    baseline, candidate = placed(GatePlan("debs:/x"), told, tmp_path)
    assert baseline.beside is candidate.beside
    assert str(candidate.spec.network) == "192.168.57.0/24"
    assert told.said == ["side by side, in 192.168.56.0/24 and 192.168.57.0/24"]


@pytest.mark.parametrize("side_by_side", [True, False])
def test_auto_is_one_network_for_all_labs_of_the_gate(
    side_by_side: bool, room: list[Room], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def check(spec: Spec, *, workdir: Workdir) -> None:
        if spec.network == SPECS[0].network:
            raise NetworkTakenError("It is taken.")

    monkeypatch.setattr(run, "check_machine", check)
    told = Told()
    plan = GatePlan("debs:/x", side_by_side=side_by_side)
    baseline, candidate = placed(plan, told, tmp_path, network=AUTO_NETWORK)
    assert str(baseline.spec.network) == "192.168.57.0/24"
    second = "192.168.58.0/24" if side_by_side else "192.168.57.0/24"
    assert str(candidate.spec.network) == second
    assert told.said[0] == "network 192.168.57.0/24 is the next that is free"


def test_a_small_machine_says_why_not(room: list[Room], tmp_path: Path) -> None:
    told = Told()
    room[0] = replace(LARGE, processors=2)
    baseline, candidate = placed(GatePlan("debs:/x"), told, tmp_path)
    assert baseline.beside is not candidate.beside
    assert candidate.spec.network == baseline.spec.network
    [said] = told.said
    assert said.startswith("one side after the other: two labs at once need 8 free processors")


def test_the_user_decides(room: list[Room], tmp_path: Path) -> None:
    told = Told()
    apart = placed(GatePlan("debs:/x", side_by_side=False), told, tmp_path)
    assert apart[0].beside is not apart[1].beside
    assert told.said == []
    room[0] = replace(LARGE, processors=2)
    together = placed(GatePlan("debs:/x", side_by_side=True), told, tmp_path)
    assert together[0].beside is together[1].beside
    assert told.said[0].startswith("Side by side, as asked, although two labs at once need")


@dataclass
class Parallel:
    """A side whose run ends only when that of the other has begun, too."""

    label: str
    both: threading.Barrier
    beside: Beside
    fails: BaseException | None = None
    found: Found = field(init=False)
    trouble: Trouble | None = None

    def __post_init__(self) -> None:
        self.found = Found(Side(self.label, "debs:/x"))

    def run(self, *, exam: bool) -> None:
        self.both.wait(timeout=10)
        if self.fails is not None:
            raise self.fails
        self.beside.meet()
        self.found.add(ups=(*self.found.side.ups, Up({"ready": 5.0})))


def parallel(*fails: BaseException | None) -> tuple[list[Parallel], Beside]:
    beside, both = Beside(parties=2), threading.Barrier(2)
    sides = zip(LABELS, fails or (None, None), strict=True)
    return [Parallel(label, both, beside, error) for label, error in sides], beside


def test_both_sides_run_at_the_same_time() -> None:
    labs, beside = parallel()
    try_pairs(labs, runs=2, beside=beside)
    assert [lab.found.runs for lab in labs] == [2, 2]


def test_an_interruption_ends_both() -> None:
    """The other side waits for one that does not come, and must not wait for ever."""
    labs, beside = parallel(KeyboardInterrupt(), None)
    with pytest.raises(KeyboardInterrupt):
        try_pairs(labs, runs=1, beside=beside)
    assert beside.stopped


def test_what_cannot_be_ended_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """One side waits for another labctl's images when Ctrl-C comes."""
    monkeypatch.setattr(pairing, "END_SECONDS", 0.2)
    labs, beside = parallel(KeyboardInterrupt(), None)
    images = threading.Event()

    class Stuck(Beside):
        def meet(self) -> None:
            images.wait(20)

    labs[1].beside = Stuck()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        try_pairs(labs, runs=1, beside=beside)
    assert time.monotonic() - began < 10
    images.set()


def test_a_side_whose_run_is_over_is_not_waited_for() -> None:
    labs, beside = parallel()
    labs[0].found.add(ups=(Up({"ready": 5.0}),))
    labs[0].found.finish_run()
    labs[1].both = threading.Barrier(1)
    began = time.monotonic()
    try_pairs(labs, runs=1, beside=beside)
    assert time.monotonic() - began < 4.0
    assert [lab.found.runs for lab in labs] == [1, 1]


def test_who_is_alone_waits_for_nobody() -> None:
    alone = Beside()
    for _ in range(3):
        alone.meet()
    left = Beside(parties=2)
    left.alone()
    left.meet()


def test_each_line_names_its_side() -> None:
    told = Told()
    Phase(told.progress, name="candidate")("ready", "jms units: 5 active")
    assert told.said == ["candidate: jms units: 5 active"]


def test_machines_are_begun_together() -> None:
    waited: list[str] = []
    phase = Phase(silent, wait=lambda: waited.append("here"))
    phase.begin()
    phase("images", "baking")
    assert waited == []
    phase("machines", "creating")
    phase("machines", "up")
    assert waited == ["here"]
