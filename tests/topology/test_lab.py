"""A lab as a value, read from its folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.waiting import NO_PATIENCE, Patience
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir

TOPOLOGY = resolve(Spec(lab="demo", jvbs=1, visitors=2))


@pytest.fixture
def folder(tmp_path: Path) -> Workdir:
    return Workdir.of("demo", root=tmp_path)


def test_a_lab_is_its_folder_its_topology_and_its_machines_patience(folder: Workdir) -> None:
    folder.save_topology(TOPOLOGY)
    folder.save_machines({"patience": 8.0})
    assert Lab.load(folder) == Lab(folder, TOPOLOGY, Patience(8.0))


def test_a_busy_machine_makes_deadlines_longer(
    folder: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save_topology(TOPOLOGY)
    folder.save_machines({"patience": 2.0})
    lab = Lab.load(folder)
    monkeypatch.setattr("labctl.topology.lab.measure_crowding", lambda: 3.0)
    assert (lab.patience, lab.measured().patience) == (Patience(2.0), Patience(6.0))


def test_before_there_are_machines_a_lab_has_no_patience(folder: Workdir) -> None:
    folder.save_topology(TOPOLOGY)
    assert Lab.load(folder).patience == NO_PATIENCE


def test_where_there_is_no_lab_that_is_said(folder: Workdir) -> None:
    with pytest.raises(LabError, match="There is no lab 'demo'") as caught:
        Lab.load(folder)
    assert caught.value.hint == "Run 'labctl up' to make one."
