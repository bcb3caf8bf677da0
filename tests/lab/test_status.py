"""What status says of a lab's machines."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labctl.lab import status
from labctl.providers import table
from labctl.ready.probe import NodeState
from labctl.ready.record import save_record
from labctl.report.status import NodeStatus, Status
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Spec
from labctl.topology.workdir import Workdir
from tests.nullprovider import NullProvider


@pytest.mark.parametrize(
    ("provider", "machines", "line"),
    [
        pytest.param(
            ProviderName.DOCKER, {}, "containers, this machine's kernel and clock", id="docker"
        ),
        pytest.param(
            ProviderName.LIBVIRT,
            {"accelerator": "software emulation", "patience": 8.0},
            "virtual machines (software emulation), own kernel: sysctl, nftables, clock;"
            " deadlines times 8",
            id="emulated",
        ),
        pytest.param(
            ProviderName.VIRTUALBOX,
            {},
            "virtual machines, own kernel: sysctl, nftables, clock",
            id="nothing said of it",
        ),
    ],
)
def test_machines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider: ProviderName,
    machines: dict[str, Any],
    line: str,
) -> None:
    class Machines:
        def __init__(self, *_: object) -> None:
            pass

        def states(self, **_: object) -> dict[str, str]:
            return {"jms": "running"}

    workdir = Workdir.of("demo", root=tmp_path)
    workdir.save_topology(resolve(Spec(lab="demo", jvbs=0, visitors=0, provider=provider)))
    workdir.save_machines(machines)
    monkeypatch.setattr(status, "VagrantMachines", Machines)
    monkeypatch.setattr(status, "probe_all", lambda *_: {"jms": NodeState()})
    found = status.read_status(Lab.load(workdir))
    assert found.to_json()["machines"] == {
        "what": line.partition(",")[0].partition(" (")[0],
        "accelerator": machines.get("accelerator", ""),
        "own_kernel": "own kernel" in line,
        "kernel": line.partition(", ")[2].partition(";")[0],
        "patience": machines.get("patience", 1.0),
    }
    assert Status.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert f"Machines: {line}" in status.render_status(found).splitlines()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("machines.json", "", "is damaged and cannot be read: it is empty: 'labctl up'"),
        ("machines.json", '{"format": 7}', "a newer labctl wrote it"),
        ("drill.json", "", "one is running, or was interrupted: 'labctl up' undoes it"),
    ],
    ids=["damaged machines", "newer machines", "damaged journal"],
)
def test_files_that_cannot_be_used_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str, said: str
) -> None:
    workdir = Workdir.of("demo", root=tmp_path)
    workdir.save_topology(resolve(Spec(lab="demo", jvbs=0, visitors=0)))
    (workdir.path / name).write_text(text)
    monkeypatch.setitem(table.TABLE, ProviderName.DOCKER, NullProvider())  # type: ignore[arg-type]
    found = status.read_status(Lab.load(workdir))
    assert not found.healthy
    assert said in found.missing["drill" if name == "drill.json" else name]
    # The machines do not run, so nobody is asked.
    assert found.missing["jms answers"] == "the machine is not_created"


@pytest.mark.parametrize(
    ("problems", "line", "word"),
    [
        pytest.param(None, "NOT seen to pass through every bridge", "never tried", id="never"),
        pytest.param(
            {"jvb": ""}, "passed through every bridge, last seen at ", "passed 20", id="passed"
        ),
        pytest.param(
            {"jvb": "No media."}, "NOT seen to pass through every bridge", "FAILED 20", id="failed"
        ),
    ],
)
def test_media(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    problems: dict[str, str] | None,
    line: str,
    word: str,
) -> None:
    workdir = Workdir.of("demo", root=tmp_path)
    workdir.save_topology(resolve(Spec(lab="demo", jvbs=0, visitors=0)))
    if problems is not None:
        save_record(workdir, problems, by="verify")
    monkeypatch.setitem(table.TABLE, ProviderName.DOCKER, NullProvider())  # type: ignore[arg-type]
    found = status.read_status(Lab.load(workdir))
    text = status.render_status(found)
    assert f"Media: {line}" in text
    assert any(row.startswith("jvb ") and word in row for row in text.splitlines())
    well = problems == {"jvb": ""}
    assert ("media" in found.missing) is not well
    assert bool(found.media_passed) is well
    assert found.bridges[0].media.problem == (problems or {}).get("jvb", "")
    assert Status.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_units_that_do_not_run_are_named() -> None:
    runs, ended = "active (running)", "inactive (dead)"
    node = NodeStatus("jms", "jms", "192.168.56.105", "running", answers=True)
    assert status.render_units(replace(node, units={"a": runs, "b": runs})) == "2 active"
    said = status.render_units(replace(node, units={"a": runs, "b": ended, "c": ended}))
    assert said == "1 of 3 active; not b, c"
    assert status.render_units(replace(node, answers=False)) == "-"


def test_where_a_node_runs_is_said_of_a_lab_on_several_machines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = Spec(lab="demo", jvbs=1, visitors=0, hosts=("local", "ssh://me@lab2"))
    workdir = Workdir.of("demo", root=tmp_path)
    workdir.save_topology(resolve(spec))
    null = NullProvider(states={"jvb1": "unreachable"})
    monkeypatch.setitem(table.TABLE, ProviderName.DOCKER, null)  # type: ignore[arg-type]
    found = status.read_status(Lab.load(workdir))
    assert {node.name: node.host for node in found.nodes} == {
        "jms": "local",
        "jvb1": "ssh://me@lab2",
    }
    lines = status.render_status(found).splitlines()
    [row] = [line for line in lines if line.startswith("jvb1 ") and "unreachable" in line]
    assert row.endswith("on lab2")
    assert found.missing["jvb1 answers"] == "the machine is unreachable"
