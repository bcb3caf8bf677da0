"""Questions to Prometheus, over nodes that pretend."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from labctl.core.errors import LabError
from labctl.lab.metrics import read_alerts, read_names, read_now, read_window
from labctl.report.metrics import Point, Window
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from tests.fakes.nodes import FakeNodes

HOUR = Window(1_800_000_000.0, 1_800_003_600.0)


@pytest.fixture
def monitored(lab: Lab) -> Lab:
    return replace(lab, topology=resolve(replace(lab.topology.spec, monitoring=True)))


def answer(data: Any) -> str:
    return json.dumps({"status": "success", "data": data})


def matrix(**values: list[list[Any]]) -> str:
    found = [{"metric": {"bridge": name}, "values": each} for name, each in values.items()]
    return answer({"resultType": "matrix", "result": found})


def test_curves_of_a_window(monitored: Lab, nodes: FakeNodes) -> None:
    nodes.says("monitoring", matrix(jvb=[[10, "1.5"], [12, "NaN"], [14, "+Inf"], [16, "2"]]))
    [series] = read_window(monitored, 'a{b="$(reboot)"}', HOUR)
    assert series.points == (Point(10, 1.5), Point(16, 2))
    assert series.labels == {"bridge": "jvb"}
    [ran] = nodes.ran_on("monitoring")
    assert ran.text.endswith("http://127.0.0.1:9090/api/v1/query_range")
    assert "start=1800000000.000" in ran.text
    assert "step=12.000" in ran.text
    assert ran.stdin == 'a{b="$(reboot)"}', "no shell sees what the user wrote"
    assert "reboot" not in ran.text


def test_a_lab_without_monitoring(lab: Lab) -> None:
    with pytest.raises(LabError) as caught:
        read_now(lab, "up")
    assert caught.value == LabError(
        "Lab 'demo' has no monitoring.",
        hint="Run 'labctl up --monitoring', or set 'monitoring = on' in lab.conf.",
    )


def test_an_expression_that_is_wrong(monitored: Lab, nodes: FakeNodes) -> None:
    said = {"status": "error", "errorType": "bad_data", "error": "parse error: unclosed"}
    nodes.says("monitoring", json.dumps(said))
    with pytest.raises(LabError, match=r"does not understand 'sum\(': parse error: unclosed\."):
        read_window(monitored, "sum(", HOUR)


def test_a_metric_that_is_not_there(monitored: Lab, nodes: FakeNodes) -> None:
    nodes.says("monitoring", matrix())
    nodes.says("monitoring", answer(["jitsi_jvb_stress", "up"]), to="label/__name__")
    with pytest.raises(LabError) as caught:
        read_window(monitored, "jitsi_jvb_stres", HOUR)
    assert caught.value.message == "There are no figures of 'jitsi_jvb_stres'."
    assert str(caught.value.hint).startswith("Near it: jitsi_jvb_stress.")
    with pytest.raises(LabError, match="'up' has no figures in this time"):
        read_window(monitored, "up", HOUR)


def test_prometheus_that_is_down(monitored: Lab, nodes: FakeNodes) -> None:
    nodes.says("monitoring", code=7, errors="curl: (7) Connection refused\n")
    with pytest.raises(LabError, match=r"does not answer: curl: \(7\) Connection refused"):
        read_names(monitored)


@pytest.mark.parametrize("text", ["", "<html>", "[]", '{"status": "error"}', "3"])
def test_an_answer_that_cannot_be_read(monitored: Lab, nodes: FakeNodes, text: str) -> None:
    nodes.says("monitoring", text)
    with pytest.raises(LabError, match="cannot be read"):
        read_names(monitored)


def test_a_number_alone(monitored: Lab, nodes: FakeNodes) -> None:
    nodes.says("monitoring", answer({"resultType": "scalar", "result": [5, "3"]}))
    [series] = read_now(monitored, "3")
    assert series.points == (Point(5, 3),)


def test_alerts_that_fire_come_first(monitored: Lab, nodes: FakeNodes) -> None:
    def alert(name: str, state: str) -> dict[str, Any]:
        labels = {"alertname": name, "severity": "critical", "bridge": "jvb1"}
        told = {"annotations": {"summary": "It is lost."}, "activeAt": "2026-11-29T10:00:00Z"}
        return {"labels": labels, "state": state, **told}

    data = {"alerts": [alert("A", "pending"), alert("B", "firing")]}
    nodes.says("monitoring", answer(data))
    first, second = read_alerts(monitored)
    assert (first.name, first.state, first.severity) == ("B", "firing", "critical")
    assert (first.labels, first.summary) == ({"bridge": "jvb1"}, "It is lost.")
    assert second.name == "A"


@pytest.mark.parametrize(("seconds", "step"), [(10, 2), (600, 2), (601, 3), (86400, 288)])
def test_a_long_window_has_longer_steps(seconds: float, step: float) -> None:
    assert Window(0, seconds).step == step
