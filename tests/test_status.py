"""What status says of a lab's machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labctl.lab import status
from labctl.layout import resolve
from labctl.model import Provider, Spec
from labctl.ready.probe import NodeState
from labctl.workdir import Workdir


@pytest.mark.parametrize(
    ("provider", "machines", "line"),
    [
        pytest.param(
            Provider.DOCKER, {}, "containers, this machine's kernel and clock", id="docker"
        ),
        pytest.param(
            Provider.LIBVIRT,
            {"accelerator": "software emulation", "patience": 8.0},
            "virtual machines (software emulation), own kernel: sysctl, nftables, clock;"
            " deadlines times 8",
            id="emulated",
        ),
        pytest.param(
            Provider.VIRTUALBOX,
            {},
            "virtual machines, own kernel: sysctl, nftables, clock",
            id="nothing said of it",
        ),
    ],
)
def test_machines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider: Provider,
    machines: dict[str, Any],
    line: str,
) -> None:
    class Machines:
        def __init__(self, *_: object) -> None:
            pass

        def states(self) -> dict[str, str]:
            return {"jms": "running"}

    workdir = Workdir.of("demo", root=tmp_path)
    workdir.save_topology(resolve(Spec(lab="demo", jvbs=0, visitors=0, provider=provider)))
    workdir.save_machines(machines)
    monkeypatch.setattr(status, "VagrantMachines", Machines)
    monkeypatch.setattr(status, "probe_all", lambda *_: {"jms": NodeState()})
    found = status.read_status(workdir)
    assert found["machines"] == {
        "what": line.partition(",")[0].partition(" (")[0],
        "accelerator": machines.get("accelerator", ""),
        "own_kernel": "own kernel" in line,
        "kernel": line.partition(", ")[2].partition(";")[0],
        "patience": machines.get("patience", 1.0),
    }
    assert f"Machines: {line}" in status.render_status(found).splitlines()
