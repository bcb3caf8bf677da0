"""A side from its first run to the removal of its lab, over machines and nodes that pretend."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from labctl.core.errors import LabError, PackageError
from labctl.gate import side
from labctl.gate.beside import Beside
from labctl.gate.job import Found
from labctl.gate.measures import Load, Up
from labctl.gate.model import Side, Trouble
from labctl.gate.side import StandInsError, check_packages, make_up, side_lab
from labctl.gate.usage import Started
from labctl.images.packages import Package, PackageOrigin
from labctl.lab import current, up
from labctl.lab.current import current_lab, make_current
from labctl.ready.wait import HINT
from labctl.topology.layout import resolve
from labctl.topology.workdir import Workdir
from provision.facts import script
from tests.fakes.lab import PROBE, probe_answer
from tests.fakes.nodes import ANY, FakeNodes
from tests.gate.pretended import SPEC, Pretended, Told, package_set

QUIET = Load(20.0, 2, 0.1)
BUSY = Load(20.0, 2, 0.9)


@dataclass
class Looks:
    """What was looked at in each run, and what others used meanwhile; `fails` is what a look
    raises."""

    seen: list[str] = field(default_factory=list)
    load: Load = QUIET
    fails: BaseException | None = None

    def look(self, what: str, job: Any, lab: Any) -> None:
        self.seen.append(f"{what} of {job.label} in {lab.topology.lab}")
        if self.fails is not None:
            raise self.fails


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch, pretended: Pretended) -> Looks:
    """The examinations of a pretended lab, which are only noted, and its packages."""
    found = Looks()
    for name, what in (("examine", "all"), ("examine_again", "again")):
        monkeypatch.setattr(
            side,
            name,
            lambda job, known, lab, *, progress, what=what: found.look(what, job, lab),
        )
    monkeypatch.setattr(side, "resolve", pretended.resolve)
    monkeypatch.setattr(side, "measure_load", lambda *_, **__: found.load)
    return found


@dataclass(slots=True)
class Noted(Beside):
    """Two labs at the same time, of which this is one; `said` is how it keeps in step."""

    said: list[str] = field(default_factory=list)

    def meet(self) -> None:
        self.said.append("meet")

    def alone(self) -> None:
        self.said.append("alone")


def run(pretended: Pretended, *exams: bool, found: Found | None = None) -> Side:
    with side_lab(pretended.job, progress=pretended.told, found=found) as lab:
        for exam in exams or (True,):
            lab.run(exam=exam)
    return lab.found.side


def test_a_run_measures_a_lab_and_takes_its_machines_away(
    pretended: Pretended, looks: Looks
) -> None:
    found = run(pretended)
    assert found.trouble is None and found.repeated == ()
    assert found.packages["jicofo"] == "1.0" and len(found.packages) == 5
    assert (found.stand_ins, found.patience) == (("jicofo",), 1.0)
    (measured,) = found.ups
    assert list(measured.seconds)[-3:] == ["machines", "provision", "ready"]
    assert measured.starts == {"jitsi-videobridge2": (2.6, 2.6, 2.6), "jicofo": (2.65, 2.75)}
    assert measured.start_cpu == {"jitsi-videobridge2": (3.1, 3.1, 3.1), "jicofo": (2.9,)}
    assert (measured.cpu, measured.load) == ({"nginx": 1.5}, QUIET)
    assert looks.seen == ["all of candidate in gate-candidate"]
    assert pretended.machines == ["clean", "data", "clean", "clean"]
    assert not pretended.workdir.path.exists()
    for line in (
        "gate: candidate: run 1",
        "ready: timing the starts of the packages' programs",
        "gate: others used 10% of the processors",
    ):
        assert pretended.told.lines.count(line) == 1


def test_programs_are_started_three_times_in_each_run(
    pretended: Pretended, looks: Looks, nodes: FakeNodes
) -> None:
    run(pretended)
    (asked,) = nodes.ran_on("jms", "systemctl stop jicofo")
    assert asked.text.count("systemctl start jicofo.service") == 3


def test_the_lab_must_be_ready_again_after_its_programs_were_started(
    pretended: Pretended, looks: Looks, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side, "READY_AGAIN_SECONDS", 0.1)

    def start(ran: object) -> str:
        node = pretended.topology.node("jvb1")
        answer = probe_answer(pretended.topology, node, ports="")
        nodes.says("jvb1", answer, to=PROBE)
        return ""

    nodes.says("jvb1", start, to="systemctl stop jitsi-videobridge2")
    found = run(pretended)
    assert found.trouble is not None and found.ups == ()
    assert found.trouble.phase == "ready"
    assert "jvb1 ports" in found.trouble.message


def test_what_others_used_counts_from_the_machines_to_the_end_of_the_measurement(
    pretended: Pretended, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def measure(before: Any, after: Any, *, nodes: Any) -> Load:
        asked.append((before.at < after.at, nodes))
        return QUIET

    monkeypatch.setattr(side, "measure_load", measure)
    run(pretended)
    assert asked == [(True, [10.0, 10.0, 10.0])]


def test_a_second_run_looks_again_at_the_same_lab(pretended: Pretended, looks: Looks) -> None:
    job = pretended.job
    with side_lab(job, progress=pretended.told) as lab:
        lab.run(exam=True)
        lab.found.finish_run()
        kept = (pretended.workdir.path / "secrets.json").read_text()
        lab.run(exam=False)
        assert (pretended.workdir.path / "secrets.json").read_text() == kept
    assert len(lab.found.side.ups) == 2
    assert [each.partition(" ")[0] for each in looks.seen] == ["all", "again"]
    assert "gate: candidate: run 2" in pretended.told.lines
    # Packages are asked for once.
    assert len(pretended.asked) == 1


def test_runs_use_the_images_that_are_there(
    pretended: Pretended, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []
    ensure = up.ensure_images_of

    def note(*words: Any, refresh: bool, **more: Any) -> Any:
        asked.append(refresh)
        return ensure(*words, refresh=refresh, **more)

    monkeypatch.setattr(up, "ensure_images_of", note)
    run(pretended, True, False)
    assert asked == [False, False]


def test_a_run_that_was_interrupted_after_its_measurement_is_not_measured_again(
    pretended: Pretended, looks: Looks, nodes: FakeNodes
) -> None:
    known = Up({"ready": 5.0})
    beside = Noted(parties=2)
    pretended.change(beside=beside)
    found = run(pretended, found=Found(Side("candidate", "debs:/x", ups=(known,))))
    assert found.ups == (known,)
    assert not nodes.ran_on("jms", "systemctl stop jicofo")
    assert len(looks.seen) == 1
    # It meets the other side as often as if it had measured.
    assert beside.said == ["meet"] * 3
    beside.said.clear()
    run(pretended)
    assert beside.said == ["meet"] * 3


def test_the_other_side_learns_of_the_lab_and_each_line_names_its_side(
    pretended: Pretended, looks: Looks
) -> None:
    pretended.change(beside=Noted(parties=2))
    run(pretended)
    assert pretended.job.beside.labs["candidate"].topology.lab == "gate-candidate"
    assert "gate: candidate: run 1" in pretended.told.lines
    assert all(line.partition(": ")[2].startswith("candidate: ") for line in pretended.told.lines)
    pretended.told.lines.clear()
    pretended.change(beside=Noted())
    run(pretended)
    assert "ready: timing the starts of the packages' programs" in pretended.told.lines


def test_what_an_earlier_gate_left_is_removed_without_waiting_for_the_other_side(
    pretended: Pretended, looks: Looks
) -> None:
    """Labs are made ready one after another: the other side does not come meanwhile."""
    beside = Noted(parties=2)
    pretended.change(beside=beside)
    with side_lab(pretended.job, progress=pretended.told):
        assert pretended.told.lines == ["machines: candidate: removing the machines of 'docker'"]
        assert beside.said == []


# What goes wrong.


def fail_to_provision(nodes: FakeNodes) -> None:
    said = "inactive\tnginx.service\tfailed\n"
    nodes.says("jms", said, to=script("units").text, code=1)


def kill_bridge(pretended: Pretended, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "READY_SECONDS", 0.1)
    node = pretended.topology.node("jvb1")
    answer = probe_answer(pretended.topology, node, units={"jitsi-videobridge2.service": "failed"})
    pretended.nodes.says("jvb1", answer, to=PROBE)
    pretended.nodes.says("jvb1", "it died\n", to="tail -n")


def test_a_lab_that_cannot_be_provisioned_is_trouble_with_the_logs_of_its_nodes(
    pretended: Pretended, looks: Looks, nodes: FakeNodes
) -> None:
    fail_to_provision(nodes)
    beside = Noted()
    pretended.change(beside=beside)
    found = run(pretended)
    trouble = found.trouble
    assert trouble is not None
    assert (trouble.phase, trouble.packages, trouble.package) == ("provision", True, None)
    assert "Unit 'nginx.service' is failed." in trouble.message
    assert trouble.evidence == ("now every unit runs and every port answers",)
    assert (found.ups, found.repeated, looks.seen) == ((), (), [])
    assert (pretended.job.folder / "nodes" / "jms.log").read_text().endswith("it said this\n")
    assert beside.said == ["alone"]
    assert not pretended.workdir.path.exists()


def test_a_lab_that_does_not_come_up_on_a_busy_machine_is_tried_once_more(
    pretended: Pretended, looks: Looks, nodes: FakeNodes
) -> None:
    fail_to_provision(nodes)
    looks.load = BUSY
    found = run(pretended)
    (first,) = found.repeated
    assert "could not be provisioned" in first
    assert found.trouble is not None
    # It names no package, and the machine was busy: that says nothing of packages.
    assert not found.trouble.packages
    assert pretended.machines == ["clean", "data", "clean", "data", "clean"]


def test_the_second_time_may_be_better(
    pretended: Pretended, looks: Looks, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_provision(nodes)
    rule = nodes.rules[0]

    def measure(before: Any, after: Any, *, nodes: Any) -> Load:
        if rule in pretended.nodes.rules:
            pretended.nodes.rules.remove(rule)
        return BUSY

    monkeypatch.setattr(side, "measure_load", measure)
    found = run(pretended)
    assert found.trouble is None
    assert (len(found.repeated), len(found.ups)) == (1, 1)


def test_a_package_that_is_named_is_at_fault_even_on_a_busy_machine(
    pretended: Pretended, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_bridge(pretended, monkeypatch)
    looks.load = BUSY
    found = run(pretended)
    assert found.trouble is not None and len(found.repeated) == 1
    assert (found.trouble.phase, found.trouble.packages) == ("ready", True)
    assert found.trouble.package == "jitsi-videobridge2"
    assert found.trouble.evidence[-1] == "  | it died"


def test_a_lab_whose_packages_failed_can_be_kept(
    pretended: Pretended, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_bridge(pretended, monkeypatch)
    pretended.change(keep=True)
    found = run(pretended)
    assert pretended.workdir.exists()
    assert found.trouble is not None
    assert found.trouble.hint == (
        "'labctl ssh jms --lab gate-candidate' looks around in the lab that was kept,"
        " 'labctl destroy --lab gate-candidate' removes it, as does the next gate."
    )


def test_without_being_asked_for_no_lab_is_kept(
    pretended: Pretended, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill_bridge(pretended, monkeypatch)
    found = run(pretended)
    assert not pretended.workdir.path.exists()
    assert found.trouble is not None
    assert found.trouble.hint == HINT


def test_a_lab_that_is_not_the_packages_fault_is_not_kept(
    pretended: Pretended, looks: Looks, nodes: FakeNodes
) -> None:
    fail_to_provision(nodes)
    looks.load = BUSY
    pretended.change(keep=True)
    run(pretended)
    assert not pretended.workdir.path.exists()


def fail_to_bake(monkeypatch: pytest.MonkeyPatch, error: LabError) -> None:
    def bake(*_: object, progress: Any, **__: object) -> None:
        progress("images", "baking")
        raise error

    monkeypatch.setattr(up, "ensure_images_of", bake)


def test_an_error_of_this_machine_is_not_the_packages_fault(
    pretended: Pretended, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_bake(monkeypatch, LabError("No engine answers.", hint="Start it.", log=Path("/x.log")))
    looks.load = BUSY
    found = run(pretended)
    assert found.trouble == Trouble(
        "images", "No engine answers.", packages=False, hint="Start it. Log: /x.log"
    )
    # It would be the same on an idle machine.
    assert found.repeated == ()


def test_a_package_that_cannot_be_baked_is_named(
    pretended: Pretended, looks: Looks, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = PackageError("The script of 'jicofo' failed.")
    error.package = "jicofo"
    fail_to_bake(monkeypatch, error)
    found = run(pretended)
    assert found.trouble == Trouble(
        "images", "The script of 'jicofo' failed.", packages=True, package="jicofo"
    )


def test_packages_that_fail_while_the_lab_is_looked_at_are_trouble_of_that_phase(
    pretended: Pretended, looks: Looks
) -> None:
    looks.fails = PackageError("It cannot be unpacked.")
    found = run(pretended)
    assert found.trouble is not None
    assert (found.trouble.phase, found.trouble.packages) == ("gate", True)
    assert len(found.ups) == 1


def test_after_ctrl_c_an_error_says_nothing_about_packages(
    pretended: Pretended, looks: Looks
) -> None:
    pretended.job.beside.stop()
    looks.fails = LabError("vagrant was ended.")
    with (
        pytest.raises(LabError, match="vagrant was ended"),
        side_lab(pretended.job, progress=pretended.told) as lab,
    ):
        lab.run(exam=True)
    assert lab.trouble is None
    assert not pretended.workdir.path.exists()


def test_the_lab_that_was_current_is_so_again(pretended: Pretended, looks: Looks) -> None:
    mine = Workdir.of("mine")
    mine.path.mkdir(parents=True)
    mine.save_topology(resolve(replace(SPEC, lab="mine")))
    make_current(mine)
    with side_lab(pretended.job, progress=pretended.told) as lab:
        lab.run(exam=True)
        assert current_lab() == "gate-candidate"
    assert current_lab() == "mine"
    mine.topology_file.unlink()
    current.CURRENT.unlink()
    run(pretended)
    assert not current.CURRENT.is_symlink()


def test_a_lab_that_another_gate_uses_is_left_alone(pretended: Pretended, looks: Looks) -> None:
    with (
        side_lab(pretended.job, progress=pretended.told),
        pytest.raises(LabError, match="is held by 'labctl gate'"),
        side_lab(pretended.job, progress=Told()),
    ):
        pass


# Packages.


@pytest.mark.parametrize(("identity", "force"), [("", True), ("abc", False)])
def test_repositories_are_asked_again_unless_that_was_done(
    pretended: Pretended, looks: Looks, identity: str, force: bool
) -> None:
    check_packages(pretended.change(identity=identity), progress=pretended.told)
    (asked,) = pretended.asked
    assert (asked["force"], asked["progress"]) == (force, pretended.told)


@pytest.mark.parametrize(
    "stand_in",
    [
        Package("jicofo", PackageOrigin.STAND_INS, "7"),
        Package("jicofo", PackageOrigin.DEBS, "0~standin1"),
    ],
    ids=["by origin", "by version"],
)
def test_stand_ins_are_refused_unless_they_are_allowed(
    pretended: Pretended, looks: Looks, stand_in: Package
) -> None:
    known = package_set().packages
    newest = Package("jitsi-meet-web", PackageOrigin.JITSI)
    pretended.packages = replace(package_set(), packages=(stand_in, newest, *known[1:]))
    with pytest.raises(StandInsError) as caught:
        check_packages(pretended.job, progress=pretended.told)
    assert caught.value.message == (
        "The candidate has stand-ins, which prove nothing about Jitsi's software: jicofo."
    )
    assert "--allow-stand-ins" in str(caught.value.hint)
    found = run(pretended)
    assert found.trouble is not None
    assert (found.trouble.phase, found.trouble.packages) == ("packages", False)
    check_packages(pretended.change(stand_ins=True), progress=pretended.told)


def test_figures_of_a_run_are_by_program() -> None:
    starts = [
        Started("jicofo", 2.5, 1.5),
        Started("jvb", 3.5, None),
        Started("jicofo", 2.0, None),
        Started("jvb", 3.0, None),
    ]
    assert make_up({"ready": 5.0}, starts, cpu={"nginx": 0.5}, load=QUIET) == Up(
        {"ready": 5.0},
        {"jicofo": (2.5, 2.0), "jvb": (3.5, 3.0)},
        {"jicofo": (1.5,)},
        {"nginx": 0.5},
        QUIET,
    )


def test_nodes_say_themselves_what_is_a_stand_in(
    pretended: Pretended, looks: Looks, nodes: FakeNodes
) -> None:
    for node in pretended.topology.nodes:
        said = "jvb 0~standin1\n" if node.name == "jvb1" else "nginx 0~standin1\njvb 0~standin1\n"
        answer = probe_answer(pretended.topology, node, **{"stand-ins": said})
        nodes.says(node.name, answer, to=PROBE)
    assert run(pretended).stand_ins == ("jvb", "nginx")


def test_the_patience_with_its_machines_is_kept(pretended: Pretended, looks: Looks) -> None:
    pretended.provider.data = {"patience": 2.5}
    assert run(pretended).patience == 2.5


def test_every_node_is_asked_what_it_used(pretended: Pretended, looks: Looks) -> None:
    pretended.nodes.says(ANY, "node 1.0\nunit prosody.service 0.25\n", to="node_cpu")
    found = run(pretended)
    assert found.ups[0].cpu == {"prosody": 0.75}
