"""What is tested in a side's lab, and what an interrupted gate has tested already."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import silent
from labctl.gate import exam
from labctl.gate.beside import Beside
from labctl.gate.contents import PackageContents
from labctl.gate.exam import copy_logs, examine, examine_again, names_of_failed, used_by_nodes
from labctl.gate.job import Found, SideJob
from labctl.gate.measures import Load, Soak
from labctl.gate.model import CaseOutcome, Difference, GateCase, MediaFigures, Side
from labctl.images.debs import Deb
from labctl.images.packages import Package, PackageOrigin, PackageSet
from labctl.report.drill import DrillRecord, DrillVerdict, HeardRecord, drills_to_json
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from tests.fakes.nodes import ANY, FakeNodes
from tests.gate.pretended import Told
from tests.gate.sides import FAILED, FLAKY, PASSED, SKIPPED, case, make_side

QUIET, BUSY = Load(20.0, 2, 0.1), Load(20.0, 2, 0.5)
TESTS = (case("test_a"),)
DRILLS = (GateCase("failover", PASSED),)
MEDIA = MediaFigures((0.1, 0.2, 0.3))
SOAK = Soak(60.0, 3)
LOG = """\
=== labctl: clock 1795270541.1 +0000 asked 1795270541.1
=== labctl: /var/log/jitsi/jicofo.log
Jicofo 2026-11-21 14:14:41.183 SEVERE: [26] It failed \xff
"""


def deb(name: str) -> Deb:
    return Deb(name, "1.0", "all", Path(f"/x/{name}.deb"), name)


def package(name: str, *, file: bool = True) -> Package:
    return Package(name, PackageOrigin.DEBS, "1.0", deb(name) if file else None)


@dataclass
class Parts:
    """The parts of an examination, which are only noted; `broken` ones raise this error."""

    asked: dict[str, Any] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    loads: list[Load] = field(default_factory=lambda: [QUIET])
    used: list[Any] = field(default_factory=list)

    def part(self, name: str, result: Any) -> Any:
        def work(*words: Any, **more: Any) -> Any:
            self.asked[name] = (words, more)
            if name in self.broken:
                raise LabError(self.broken[name])
            return result

        return work

    def measure(self, before: Any, after: Any, *, nodes: Any) -> Load:
        self.used.append(list(nodes))
        return self.loads.pop(0) if len(self.loads) > 1 else self.loads[0]


@pytest.fixture
def parts(lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch) -> Parts:
    found = Parts()
    for name, result in {
        "run_suite": TESTS,
        "retry_suite": (case("test_a", FLAKY),),
        "run_drift": (Difference("a", judged=False),),
        "run_contract": (GateCase("jicofo: a", PASSED),),
        "run_drills": DRILLS,
    }.items():
        monkeypatch.setattr(exam.parts, name, found.part(name, result))
    for name, result in {
        "measure_media": MEDIA,
        "run_soak": SOAK,
        "run_e2e": (GateCase("ui/chat", PASSED),),
        "read_contents": {"jicofo": PackageContents("1.0")},
        "resolve": PackageSet(
            (package("jicofo"), package("jitsi-meet-web", file=False)),
            others=(deb("jigasi"),),
            extras=(package("jitsi-meet"),),
        ),
    }.items():
        monkeypatch.setattr(exam, name, found.part(name, result))
    monkeypatch.setattr(exam, "measure_load", found.measure)
    nodes.says(ANY, "use nginx.service 100 1000 10 20\n", to="RssAnon")
    nodes.says(ANY, "node 10.0\n", to="node_cpu")
    nodes.says(ANY, LOG, to="section systemctl --failed")
    return found


def job_of(folder: Path, **values: Any) -> SideJob:
    return SideJob("candidate", "debs:/x", Spec(lab="demo"), folder / "candidate", **values)


def nothing() -> Found:
    return Found(Side("candidate", "debs:/x", packages={"jicofo": "1.0"}))


def test_everything_is_looked_at(lab: Lab, parts: Parts, tmp_path: Path) -> None:
    told, found = Told(), nothing()
    job = job_of(
        tmp_path,
        quick=True,
        drills=("failover", "vnode-stop"),
        soak=60.0,
        e2e=tmp_path / "suite",
        resumed=True,
    )
    examine(job, found, lab, progress=told)
    side = found.done()
    assert (side.tests, side.drills, side.media, side.soak) == (TESTS, DRILLS, MEDIA, SOAK)
    assert side.drift == (Difference("a", judged=False),)
    assert side.contract == (GateCase("jicofo: a", PASSED),)
    assert side.e2e == (GateCase("ui/chat", PASSED),)
    assert side.contents == {"jicofo": PackageContents("1.0")}
    assert side.load == QUIET
    assert side.not_tried == {}
    assert side.resources and side.resources[0].units["nginx"].threads == 30
    (log,) = side.logs or ()
    assert (log.source, log.level, log.count) == ("jicofo", "error", 3)
    assert parts.asked["run_suite"] == ((lab,), {"folder": job.folder, "quick": True})
    assert parts.asked["run_drift"] == ((lab,), {"folder": job.folder})
    assert parts.asked["run_contract"] == ((lab,), {"folder": job.folder, "progress": told})
    assert parts.asked["measure_media"] == ((lab,), {})
    assert parts.asked["run_soak"] == ((lab,), {"seconds": 60.0, "progress": told})
    assert parts.asked["run_e2e"] == (
        (lab, tmp_path / "suite"), {"folder": job.folder, "progress": told},
    )  # fmt: skip
    assert parts.asked["run_drills"] == (
        (lab, ("failover", "vnode-stop")),
        {"folder": job.folder, "progress": told, "resumed": True},
    )
    assert told.lines[0] == "verify: running the acceptance tests"
    assert told.lines[1] == "logs: reading the logs of all nodes"
    assert told.lines[2].startswith("logs: logs of 3 nodes are in ")
    assert told.lines[3:] == ["drill: running drills: failover, vnode-stop"]


def test_contents_are_those_of_all_files_that_were_given(
    lab: Lab, parts: Parts, tmp_path: Path
) -> None:
    examine(job_of(tmp_path), nothing(), lab, progress=silent)
    (mine, files), _ = parts.asked["read_contents"]
    assert mine is lab
    assert [each.name for each in files] == ["jicofo", "jitsi-meet", "jigasi"]
    (words, more) = parts.asked["resolve"]
    assert words == (Spec(lab="demo").packages,) and more == {"cache": exam.CACHE}


def test_the_logs_of_the_tests_are_kept_with_the_report(
    lab: Lab, parts: Parts, tmp_path: Path
) -> None:
    examine(job_of(tmp_path), nothing(), lab, progress=silent)
    kept = tmp_path / "candidate" / "nodes"
    assert sorted(path.name for path in kept.iterdir()) == ["jms.log", "jvb1.log", "visitors1.log"]
    assert "It failed" in (kept / "jvb1.log").read_text(encoding="utf-8", errors="replace")


def test_lines_are_judged_by_the_versions_of_the_side(
    lab: Lab, parts: Parts, nodes: FakeNodes, tmp_path: Path
) -> None:
    line = "[1] x.DeprecationWarning.decorate: Using @Deprecated Class a.b.CrossOriginFilter"
    said = f"=== labctl: /var/log/jitsi/jvb.log\nJVB 2026-11-21 14:14:41.183 WARNING: {line}\n"
    nodes.says(ANY, LOG.splitlines()[0] + "\n" + said, to="section systemctl --failed")
    for version, judged in (("2.3-277-g6708140e0-1", False), ("2.3-312-ga29d97d13-1", True)):
        found = Found(Side("candidate", "x", packages={"jitsi-videobridge2": version}))
        examine(job_of(tmp_path), found, lab, progress=silent)
        assert [bool(each.reason) for each in found.side.logs or ()] == [judged]


def test_without_being_asked_for_there_is_no_leak_run_no_suite_and_no_drill(
    lab: Lab, parts: Parts, tmp_path: Path
) -> None:
    found = nothing()
    examine(job_of(tmp_path), found, lab, progress=silent)
    assert not parts.asked.keys() & {"run_soak", "run_e2e", "run_drills"}
    side = found.done()
    assert (side.soak, side.e2e, side.drills) == (None, None, None)
    assert side.not_tried == {"drills": "not asked for"}
    assert parts.asked["run_suite"][1]["quick"] is False


def test_what_an_interrupted_gate_has_done_is_not_done_again(
    lab: Lab, parts: Parts, tmp_path: Path
) -> None:
    known = make_side(
        media=MEDIA, contract=(), contents={}, soak=SOAK, e2e=(), load=QUIET
    )  # fmt: skip
    found = Found(known)
    job = job_of(tmp_path, drills=("failover",), soak=60.0, e2e=tmp_path)
    examine(job, found, lab, progress=silent)
    assert parts.asked == {}
    assert found.done() == known
    found = Found(replace(known, media=None), {"media": "nobody heard anything"})
    examine(job, found, lab, progress=silent)
    assert parts.asked == {}


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("read_contents", "contents"),
        ("run_drift", "drift"),
        ("run_contract", "contract"),
        ("measure_media", "media"),
        ("run_soak", "soak"),
        ("run_e2e", "e2e"),
    ],
)
def test_a_part_that_cannot_be_done_is_named_with_the_reason(
    lab: Lab, parts: Parts, tmp_path: Path, part: str, name: str
) -> None:
    parts.broken[part] = "It was not to be.\n  more\n  and more"
    found = nothing()
    examine(job_of(tmp_path, soak=60.0, e2e=tmp_path), found, lab, progress=silent)
    assert found.not_tried == {"drills": "not asked for", name: "It was not to be."}
    assert getattr(found.side, name) is None
    assert found.side.tests == TESTS


def test_a_suite_that_does_not_finish_ends_the_examination(
    lab: Lab, parts: Parts, tmp_path: Path
) -> None:
    parts.broken["run_suite"] = "pytest itself failed."
    with pytest.raises(LabError, match="pytest itself failed"):
        examine(job_of(tmp_path), nothing(), lab, progress=silent)


def test_drills_say_how_long_there_was_no_sound(lab: Lab, parts: Parts, tmp_path: Path) -> None:
    heard = HeardRecord("participants of the call", "p", "audio", 2.0, 2.0, True)
    record = DrillRecord("failover", DrillVerdict.EXPECTED, 20.0, media=(heard,))
    folder = tmp_path / "candidate"
    folder.mkdir()
    (folder / "drills.json").write_text(json.dumps(drills_to_json([record])))
    found = nothing()
    examine(job_of(tmp_path, drills=("failover",)), found, lab, progress=silent)
    assert found.side.media == replace(MEDIA, silences={"failover": (2.0,)})
    parts.broken["measure_media"] = "no sound"
    found = nothing()
    examine(job_of(tmp_path, drills=("failover",)), found, lab, progress=silent)
    assert found.side.media is None


@pytest.mark.parametrize(
    ("loads", "kept"),
    [([QUIET, BUSY], BUSY), ([BUSY, QUIET], BUSY), ([QUIET, Load(9.0, 2, 0.1)], QUIET)],
    ids=["drills", "tests", "alike"],
)
def test_the_busier_of_two_measurements_counts(
    lab: Lab, parts: Parts, tmp_path: Path, loads: list[Load], kept: Load
) -> None:
    parts.loads = list(loads)
    found = nothing()
    examine(job_of(tmp_path), found, lab, progress=silent)
    assert found.side.load is kept


def test_what_nodes_used_meanwhile_is_not_load_of_others(
    lab: Lab, parts: Parts, nodes: FakeNodes, tmp_path: Path
) -> None:
    """A node that does not say so, before or after, is not known."""
    said = {"jms": ["node 10.0\n", "node 25.0\n"], "jvb1": ["", "node 9.0\n"]}
    for name, answers in said.items():
        nodes.says(name, lambda _, a=answers: a.pop(0) if len(a) > 1 else a[0], to="node_cpu")
    nodes.says("visitors1", "node 3.0\n", to="node_cpu")
    examine(job_of(tmp_path), nothing(), lab, progress=silent)
    assert parts.used == [[15.0, None, 0.0]] * 2
    nodes.says("jms", lambda _, a=["node 1.0\n", ""]: a.pop(0) if len(a) > 1 else a[0],
               to="node_cpu")  # fmt: skip
    parts.used.clear()
    examine(job_of(tmp_path), nothing(), lab, progress=silent)
    assert parts.used[0][0] is None


def test_nodes_of_the_lab_beside_this_one_are_asked_too(
    lab: Lab, parts: Parts, tmp_path: Path
) -> None:
    other = Lab(Workdir.of("other", root=tmp_path), resolve(Spec(lab="other", jvbs=0, visitors=0)))
    beside = Beside(parties=2)
    beside.labs |= {"candidate": lab, "baseline": other}
    found = used_by_nodes(job_of(tmp_path, beside=beside), lab)
    assert found == {
        "demo/jms": 10.0, "demo/jvb1": 10.0, "demo/visitors1": 10.0, "other/jms": 10.0,
    }  # fmt: skip


# Again, in a new lab.


def disturbed(**values: Any) -> Found:
    return Found(make_side(load=BUSY, **values))


FAILING = (case("test_a", FAILED, "late"), case("test_b"), case("test_c", SKIPPED))
FAILING_DRILLS = tuple(GateCase(name, FAILED) for name in ("failover", "vnode-stop"))


def test_what_failed_on_a_busy_machine_is_tried_again(
    lab: Lab, parts: Parts, tmp_path: Path
) -> None:
    told, job = Told(), job_of(tmp_path)
    found = disturbed(tests=FAILING, drills=FAILING_DRILLS)
    examine_again(job, found, lab, progress=told)
    assert found.side.tests == (case("test_a", FLAKY),)
    assert found.side.drills == (GateCase("failover", FLAKY), GateCase("vnode-stop", FAILED))
    assert parts.asked == {
        "retry_suite": ((lab, FAILING), {"folder": job.folder}),
        "run_drills": ((lab, ["failover", "vnode-stop"]), {"folder": job.folder, "progress": told}),
    }
    assert told.lines == [
        "verify: trying 1 tests again, the machine was busy",
        "drill: trying again because the machine was busy: failover, vnode-stop",
    ]


@pytest.mark.parametrize(
    "found",
    [
        Found(make_side(load=None, tests=FAILING)),
        Found(make_side(load=QUIET, tests=FAILING)),
        disturbed(),
        disturbed(tests=None, drills=None),
        disturbed(tests=tuple(case(f"test_{n}", FAILED) for n in range(21))),
    ],
    ids=["not measured", "quiet", "nothing failed", "not tried", "too much failed"],
)
def test_nothing_is_tried_again_where_load_is_no_reason(
    lab: Lab, parts: Parts, tmp_path: Path, found: Found
) -> None:
    before = found.done()
    examine_again(job_of(tmp_path), found, lab, progress=silent)
    assert parts.asked == {}
    assert found.done() == before


def test_twenty_failures_may_be_an_accident(lab: Lab, parts: Parts, tmp_path: Path) -> None:
    found = disturbed(tests=tuple(case(f"test_{n}", FAILED) for n in range(20)), drills=None)
    examine_again(job_of(tmp_path), found, lab, progress=silent)
    assert set(parts.asked) == {"retry_suite"}


def test_names_of_what_failed() -> None:
    assert names_of_failed(None) == []
    cases = [GateCase(str(outcome), outcome) for outcome in CaseOutcome]
    assert names_of_failed(cases) == ["failed"]


def test_logs_are_copied_over_those_of_an_earlier_run(tmp_path: Path) -> None:
    folder, target = tmp_path / "logs", tmp_path / "report" / "nodes"
    assert copy_logs(folder, target) == ()
    assert not target.exists()
    folder.mkdir()
    for name in ("jvb1.log", "jms.log", "other.txt"):
        (folder / name).write_text("first")
    assert copy_logs(folder, target) == [target / "jms.log", target / "jvb1.log"]
    (folder / "jms.log").write_text("second")
    copy_logs(folder, target)
    assert (target / "jms.log").read_text() == "second"
