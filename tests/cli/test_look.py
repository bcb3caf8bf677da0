"""`labctl status` and `labctl logs`, over nodes that pretend."""

from __future__ import annotations

import json
from typing import Any

import click
import pytest
from click.testing import CliRunner

from labctl.cli.look import logs_command, status_command
from labctl.core.errors import UsageError
from labctl.ready.record import save_record
from labctl.topology.lab import Lab
from tests.fakes.lab import PROBE
from tests.fakes.nodes import FakeNodes


@pytest.fixture(autouse=True)
def _named(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)
    save_record(lab.folder, {"jvb": "", "jvb1": ""}, by="up")


def run(command: click.Command, *words: str) -> Any:
    return CliRunner().invoke(command, ["--lab", "demo", *words], standalone_mode=False)


def test_a_healthy_lab() -> None:
    done = run(status_command)
    assert done.exception is None
    assert done.return_value == 0
    assert "Lab 'demo' (docker, meet.lab.internal, 192.168.56.0/24): healthy" in done.stdout
    assert "jvb1         jvb1         operational" in done.stdout
    assert "v2           visitors1    active, registered in Jicofo" in done.stdout


def test_a_silent_node_is_a_line_and_no_error(nodes: FakeNodes) -> None:
    nodes.silence("jvb1", "No route to host")
    done = run(status_command, "--json")
    status = json.loads(done.stdout)
    assert done.return_value == 1
    assert status["missing"] == {
        "jvb1 answers": "Node 'jvb1' cannot be reached by ssh: No route to host."
    }
    assert [node["answers"] for node in status["nodes"]] == [True, False, True]


def test_a_slow_node_is_named_without_the_script(nodes: FakeNodes) -> None:
    nodes.slow_down("visitors1")
    said = json.loads(run(status_command, "--json").stdout)["missing"]["visitors1 answers"]
    assert said.startswith("Node 'visitors1' did not finish within 15 s: 'section units; ")
    assert "\n" not in said
    assert [ran.sudo for ran in nodes.ran_on("visitors1", PROBE)] == [False]


def test_logs_of_one_node(nodes: FakeNodes) -> None:
    nodes.says("jms", {"journal": "what it said\n"}, to="section journal")
    assert run(logs_command, "jms").stdout == "\n=== labctl: journal\nwhat it said\n"
    error = run(logs_command, "jvb2").exception
    assert isinstance(error, UsageError)
    assert "has no node 'jvb2'" in error.message
