"""The provisioner's child: its lines as progress, outcome and errors."""

import json
from pathlib import Path

import pytest

from labctl.layout import resolve
from labctl.model import Spec
from labctl.process import ProcessError
from labctl.progress import silent
from labctl.provisioner import NodeOutcome, NodeProblem, ProvisionError, Report, provision
from labctl.sshkeys import ensure_keys
from labctl.workdir import Workdir, write_json

TOPOLOGY = resolve(Spec(lab="demo", jvbs=0, visitors=0))


def test_lines_of_a_run() -> None:
    said: list[str] = []

    def progress(phase: str, message: str, *, node: str | None = None) -> None:
        said.append(f"{phase} {node}: {message}")

    report = Report(progress)
    for line in (
        '{"event": "step", "node": "jms", "phase": "place", "state": "start"}',
        '{"event": "step", "node": "jms", "phase": "place", "state": "ok"}',
        "[jms] something that pyinfra logs",
        '{"event": "step", "node": "jms", "phase": "stage 1", "state": "failed"}',
        '{"event": "problem", "node": "jms", "phase": "stage 1", "message": "No.", '
        '"detail": ["a", "b"], "hint": null}',
        '{"event": "outcome", "nodes": {"jms": {"changed": ["/etc/x"], '
        '"restarted": ["x.service"]}}}',
    ):
        report.take(line)
    assert said == ["provision jms: placing files", "provision jms: stage 1 failed"]
    assert report.problems == [NodeProblem("jms", "stage 1", "No.", ("a", "b"))]
    assert report.outcome is not None
    assert str(report.outcome.nodes["jms"]) == "1 file changed; restarted x.service"
    assert not report.outcome.empty


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(NodeOutcome(), "nothing to do", id="nothing"),
        pytest.param(NodeOutcome(changed=("a", "b")), "2 files changed", id="files"),
        pytest.param(NodeOutcome(enabled=("x",)), "enabled x", id="enabled"),
        pytest.param(NodeOutcome(commands=("x",)), "commands run", id="commands"),
        pytest.param(
            NodeOutcome(removed=("a",), stopped=("x", "y")),
            "1 file changed; stopped x, y",
            id="removed",
        ),
    ],
)
def test_outcome_in_words(outcome: NodeOutcome, expected: str) -> None:
    assert str(outcome) == expected


def test_problems_are_told_with_node_and_last_lines(tmp_path: Path) -> None:
    problems = (
        NodeProblem("jms", "stage 1", "Unit 'x.service' is failed.", ("bad key",), "Look."),
        NodeProblem("jvb1", "connect", "It cannot be reached.", (), "Look."),
    )
    error = ProvisionError("demo", problems, log=tmp_path / "log")
    assert error.message == (
        "Lab 'demo' could not be provisioned.\n"
        "Node 'jms' (stage 1): Unit 'x.service' is failed.\n"
        "    bad key\n"
        "Node 'jvb1' (connect): It cannot be reached."
    )
    assert error.hint == "Look."


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    """A lab whose only node is this machine, which does not know the lab's key."""
    workdir = Workdir(tmp_path)
    data = TOPOLOGY.to_json()
    data["nodes"][0]["address"] = "127.0.0.1"
    write_json(workdir.topology_file, data)
    return workdir


@pytest.mark.programs
def test_a_lab_without_trees_is_a_problem_of_its_node(workdir: Workdir) -> None:
    with pytest.raises(ProvisionError, match=r"Node 'jms' \(inspect\).*is missing") as caught:
        provision(workdir, TOPOLOGY, progress=silent, log=workdir.path / "log")
    assert caught.value.log == workdir.path / "log"


@pytest.mark.programs
@pytest.mark.sockets
def test_a_node_that_cannot_be_reached_is_named(workdir: Workdir) -> None:
    ensure_keys(workdir, TOPOLOGY)
    (workdir.tree / "jms").mkdir(parents=True)
    (workdir.tree / "jms" / "manifest.json").write_text(json.dumps({"node": "jms"}))
    with pytest.raises(ProvisionError, match=r"Node 'jms' \(connect\): It cannot be reached"):
        provision(workdir, TOPOLOGY, progress=silent, log=workdir.path / "log")


@pytest.mark.programs
def test_a_child_that_ends_otherwise_is_an_error_with_its_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="No such file") as caught:
        provision(Workdir(tmp_path), TOPOLOGY, progress=silent, log=tmp_path / "log")
    assert "topology.json" in (tmp_path / "log").read_text()
    assert caught.value.log == tmp_path / "log"
