"""Two labs at the same time: when a machine bears them, and how they keep in step."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import NOTICE, silent
from labctl.core.waiting import Patience
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
from labctl.topology.lab import Lab
from labctl.topology.spec import Role, Size, Spec
from labctl.topology.workdir import Workdir
from tests.gate.test_session import Told


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A side that waits in vain does not do so for hours."""
    monkeypatch.setattr(module, "MEET_SECONDS", 5.0)


@pytest.fixture(autouse=True)
def _no_other_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    """All networks are free, whatever labs this machine has meanwhile."""
    monkeypatch.setattr("labctl.lab.network._networks_of_others", lambda _: ())
    monkeypatch.setattr(module, "find_conflict", lambda _: None)


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
    assert baseline.beside.parties == 2
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


def test_only_the_first_of_several_runs_is_the_exam() -> None:
    labs, beside = parallel()
    told: list[tuple[str, bool]] = []
    for lab in labs:

        def run(*, exam: bool, lab: Parallel = lab) -> None:
            told.append((lab.label, exam))

        lab.run = run  # type: ignore[method-assign]
    try_pairs(labs, runs=3, beside=beside)
    for label in LABELS:
        assert [exam for name, exam in told if name == label] == [True, False, False]


def test_only_a_side_alone_is_not_waited_for() -> None:
    class Noted(Beside):
        said = 0

        def alone(self) -> None:
            self.said += 1
            super().alone()

    for over in (0, 1):
        labs, _ = parallel()
        noted = Noted(parties=2)
        for lab in labs:
            lab.run = lambda *, exam: None  # type: ignore[method-assign]
        if over:
            labs[0].found.finish_run()
        try_pairs(labs, runs=1, beside=noted)
        assert noted.said == over


def test_threads_of_sides_end_with_the_program() -> None:
    seen: list[bool] = []
    labs, beside = parallel()
    for lab in labs:
        lab.run = lambda *, exam: seen.append(  # type: ignore[method-assign]
            threading.current_thread().daemon
        )
    try_pairs(labs, runs=1, beside=beside)
    assert seen == [True, True]


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


@pytest.mark.parametrize(
    ("said", "processors", "busy"),
    [("1.50 9.9 9.9 2/3 4", 4, 1.5), ("12.5 1 1 2/3 4", 4, 4), ("0.5 1 1 2/3 4", None, 0.5)],
    ids=["some", "all", "not known"],
)
def test_processors_are_busy_by_the_load_average(
    said: str,
    processors: int | None,
    busy: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "loadavg").write_text(said)
    monkeypatch.setattr(module, "LOADAVG", tmp_path / "loadavg")
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    monkeypatch.setattr(module, "available_mib", lambda: 2048)
    assert read_room() == Room(processors or 1, busy, 2048)


NEEDED = Room(processors=9, busy=1.0, available_mib=19 * 1024)


@pytest.mark.parametrize(
    ("room", "said"),
    [
        (NEEDED, None),
        (replace(NEEDED, busy=1.1), "8 free processors (of 9 here, 1.1 are busy)"),
        (
            replace(NEEDED, available_mib=19 * 1024 - 1),
            "19.0 GiB of memory (19.0 GiB available)",
        ),
        (
            Room(2, 0.0, 1024),
            "8 free processors (of 2 here, 0.0 are busy) and"
            " 19.0 GiB of memory (1.0 GiB available)",
        ),
    ],
    ids=["just enough", "busy", "a mebibyte too little", "both"],
)
def test_what_two_labs_lack(room: Room, said: str | None) -> None:
    expected = None if said is None else f"two labs at once need {said}"
    assert why_not_beside(SPECS, room) == expected


def test_sixteen_networks_are_tried_and_then_it_is_the_users_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[IPv4Network] = []

    def conflict(network: IPv4Network) -> str:
        tried.append(network)
        return "taken"

    monkeypatch.setattr(module, "find_conflict", conflict)
    with pytest.raises(LabError) as caught:
        second_network(IPv4Network("10.0.0.0/24"))
    assert tried == [IPv4Network(f"10.0.{n}.0/24") for n in range(1, 17)]
    assert caught.value.message == (
        "None of the 16 networks after 10.0.0.0/24 is free for the second lab."
    )
    assert caught.value.hint == "Name another one with '--network', or use '--no-side-by-side'."


def test_the_second_lab_is_in_a_private_network() -> None:
    near = list(following(IPv4Network("172.31.254.0/24")))
    assert near == [IPv4Network("172.31.255.0/24")]


def test_other_labs_are_those_of_other_sides(lab: Lab) -> None:
    beside = Beside(parties=2)
    assert beside.others("candidate") == []
    other = replace(lab, patience=Patience(2.0))
    beside.labs |= {"candidate": lab, "baseline": other}
    assert beside.others("candidate") == [other]
    assert beside.others("baseline") == [lab]
    beside.begin()
    assert beside.others("candidate") == []


def test_a_run_that_begins_is_waited_for_again() -> None:
    """However the run before it ended."""
    beside, here = Beside(parties=2), threading.Event()
    beside.alone()
    beside.begin()

    def come() -> None:
        beside.meet()
        here.set()

    thread = threading.Thread(target=come)
    thread.start()
    assert not here.wait(0.2)
    beside.meet()
    assert here.wait(5)
    thread.join()


def test_nobody_is_waited_for_any_longer_than_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEET_SECONDS", 0.05)
    Beside(parties=2).meet()


def test_an_interrupted_gate_is_known_to_be_so() -> None:
    beside = Beside(parties=2)
    assert not beside.stopped
    beside.stop()
    assert beside.stopped
    beside.meet()


@dataclass
class Loud(Told):
    """What was said, with its phase."""

    def progress(self, phase: str, message: str, *, node: str | None = None) -> None:
        self.said.append(f"{phase}: {message}")


@pytest.mark.parametrize(
    ("side_by_side", "processors", "network", "lines"),
    [
        (None, 16, False, ["gate: side by side, in 192.168.56.0/24 and 192.168.57.0/24"]),
        (None, 2, False, ["gate: one side after the other: {why}"]),
        (
            True,
            2,
            False,
            [
                "{notice}: Side by side, as asked, although {why}: expect disturbed runs.",
                "gate: side by side, in 192.168.56.0/24 and 192.168.57.0/24",
            ],
        ),
        (False, 16, True, ["gate: network 192.168.56.0/24 is the next that is free"]),
    ],
    ids=["large", "small", "as asked", "in turn"],
)
def test_where_labs_are_is_said(
    side_by_side: bool | None,
    processors: int,
    network: bool,
    lines: list[str],
    room: list[Room],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(run, "check_machine", lambda *_, **__: None)
    room[0] = replace(LARGE, processors=processors)
    told, why = Loud(), why_not_beside(SPECS, room[0])
    given = AUTO_NETWORK if network else SPECS[0].network
    placed(GatePlan("debs:/x", side_by_side=side_by_side), told, tmp_path, network=given)
    assert told.said == [line.format(why=why, notice=NOTICE) for line in lines]


def test_a_side_alone_is_where_it_was(room: list[Room], tmp_path: Path) -> None:
    told = Told()
    job = SideJob("candidate", "debs:/x", SPECS[1], tmp_path)
    assert place_sides(GatePlan("debs:/x", side_by_side=True), [job], progress=silent) == [job]
    assert told.said == []


def test_the_network_is_asked_for_as_the_candidates_lab_would(
    room: list[Room], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[str] = []

    def check(spec: Spec, *, workdir: Workdir) -> None:
        asked.append(f"{spec.lab} in {workdir.lab}")

    monkeypatch.setattr(run, "check_machine", check)
    placed(GatePlan("debs:/x", side_by_side=False), Told(), tmp_path, network=AUTO_NETWORK)
    assert asked == ["gate-candidate in gate-candidate"]


def test_an_error_in_one_side_is_the_gates() -> None:
    labs, beside = parallel(None, LabError("The disk is full."))
    with pytest.raises(LabError, match="The disk is full"):
        try_pairs(labs, runs=1, beside=beside)
    assert beside.stopped


def test_trouble_of_one_side_is_no_run() -> None:
    labs, beside = parallel()
    labs[0].trouble = None

    def run_into_trouble(*, exam: bool) -> None:
        labs[0].both.wait(timeout=10)
        beside.alone()
        labs[0].trouble = Trouble("ready", "no", packages=True)

    labs[0].run = run_into_trouble  # type: ignore[method-assign]
    try_pairs(labs, runs=3, beside=beside)
    assert [lab.found.runs for lab in labs] == [0, 1]
