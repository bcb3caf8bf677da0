"""`labctl metrics`, over a Prometheus that pretends."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli.metrics import metrics_command
from labctl.core.errors import LabError, UsageError
from labctl.core.files import write_json
from labctl.report.drill import DrillRecord, DrillVerdict, drills_to_json
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from tests.fakes.nodes import FakeNodes, Ran
from tests.schemas import checked


def answer(data: Any) -> str:
    return json.dumps({"status": "success", "data": data})


def curves(ran: Ran) -> str:
    """Two bridges, with a figure at each end of the window that was asked for."""
    fields = dict(word.strip("'").split("=", 1) for word in ran.text.split() if "=" in word)
    times = [float(fields["start"]), float(fields["end"])]
    result = [
        {"metric": {"bridge": name}, "values": [[at, value] for at in times]}
        for name, value in (("jvb", "0.25"), ("jvb1", "0.5"))
    ]
    return answer({"resultType": "matrix", "result": result})


ALERT = {
    "labels": {"alertname": "BridgeLost", "severity": "critical", "bridge": "jvb1"},
    "annotations": {"summary": "Bridge 'jvb1' does not answer."},
    "state": "firing",
    "activeAt": "2026-11-29T10:00:00Z",
}
RECORDED = [
    {"metric": {"__name__": "lab:bridges:expected"}, "value": [1, "2"]},
    {"metric": {"__name__": "lab:stress:by_bridge", "bridge": "jvb"}, "value": [1, "0.125"]},
]


@pytest.fixture(autouse=True)
def monitored(lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch) -> Lab:
    found = replace(lab, topology=resolve(replace(lab.topology.spec, monitoring=True)))
    lab.folder.save_topology(found.topology)
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)
    nodes.says("monitoring", curves, to="query_range")
    nodes.says("monitoring", answer({"alerts": [ALERT]}), to="/alerts")
    nodes.says("monitoring", answer({"resultType": "vector", "result": RECORDED}), to="v1/query'")
    nodes.says("monitoring", answer({"resultType": "vector", "result": RECORDED}), to="lab:.+")
    nodes.says("monitoring", answer(["jitsi_jvb_stress", "up"]), to="__name__/values")
    return found


def run(*words: str) -> Any:
    return CliRunner().invoke(metrics_command, ["--lab", "demo", *words], standalone_mode=False)


def test_alerts_and_what_the_rules_compute() -> None:
    assert run().stdout.splitlines() == [
        "Lab 'demo': 1 alert firing",
        "  firing   BridgeLost               Bridge 'jvb1' does not answer.",
        "  lab:bridges:expected                         2",
        "  lab:stress:by_bridge jvb                     0.125",
    ]
    assert checked("metrics", run("--json").stdout)["alerts"][0]["labels"] == {"bridge": "jvb1"}


def test_names() -> None:
    assert run("--names").stdout == "jitsi_jvb_stress\nup\n"
    assert checked("metrics-names", run("--names", "--json").stdout)["names"][1] == "up"


def test_curves_in_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = run("jitsi_jvb_stress").stdout
    head, *lines = said.splitlines()
    assert head == "jitsi_jvb_stress"
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in said
    first, second = lines[-2:]
    assert first.startswith("  o jvb: 0.25 to 0.25, last 0.25, ")
    assert second.startswith("  x jvb1: 0.5 to 0.5, last 0.5, ")


def test_the_last_minutes(nodes: FakeNodes) -> None:
    told = checked("metrics-name", run("up", "--minutes", "2", "--json").stdout)
    assert told["ended"] - told["began"] == pytest.approx(120)
    assert time.time() - told["ended"] < 60
    assert [each["labels"]["bridge"] for each in told["series"]] == ["jvb", "jvb1"]
    assert [ran.stdin for ran in nodes.ran_on("monitoring")] == ["up"]


def test_the_time_of_a_drill(monitored: Lab) -> None:
    began = 1_700_000_000.0
    record = DrillRecord("bridge-kill", DrillVerdict.EXPECTED, 30.0, began=began)
    write_json(monitored.folder.path / "drills.json", drills_to_json([record]))
    told = checked("metrics-name", run("up", "--drill", "bridge-kill", "--json").stdout)
    assert (told["began"], told["ended"]) == (began - 10, began + 40)


def test_the_file(tmp_path: Path) -> None:
    run("up", "--svg", str(tmp_path / "up.svg"))
    assert (tmp_path / "up.svg").read_text(encoding="utf-8").startswith('<svg xmlns="http')


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--minutes", "3"], "give a NAME"),
        (["up", "--minutes", "3", "--drill", "bridge-kill"], "exclude each other"),
        (["up", "--drill", "bridge-kill"], "'bridge-kill' is not in the lab's last run of drills"),
    ],
)
def test_flags_that_make_no_sense(words: list[str], said: str) -> None:
    caught = run(*words).exception
    assert isinstance(caught, UsageError)
    assert said in caught.message


def test_without_monitoring(lab: Lab) -> None:
    lab.folder.save_topology(lab.topology)
    caught = run("up").exception
    assert isinstance(caught, LabError)
    assert caught.message == "Lab 'demo' has no monitoring."
    assert "'labctl up --monitoring'" in str(caught.hint)
