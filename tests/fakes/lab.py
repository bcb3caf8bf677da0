"""A whole lab that pretends: machines that need no provider, nodes that get ready."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from labctl.lab import up
from labctl.providers import table, vagrant
from labctl.ready import wait
from labctl.ready.probe import expected_units
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.model import Node, Topology
from labctl.topology.ports import declared_ports
from labctl.topology.spec import ProviderName, Role, Spec
from labctl.topology.workdir import Workdir
from tests.fakes.nodes import FakeNodes
from tests.nullprovider import NullProvider

PROBE = "section randomness"
"""A text that only the question of readiness holds."""


SUB = {"active": "running", "failed": "failed", "inactive": "dead"}


def probe_answer(
    topology: Topology, node: Node, *, units: Mapping[str, str] | None = None, **changed: str
) -> dict[str, str]:
    """What a node of a healthy lab says when it is asked whether it is ready.

    `units` are those that are not active, with what they are.
    """
    ports = {port.number for port in declared_ports(topology, node)} | {8888, 5280}
    said = {
        "units": "\n".join(
            unit_shown(unit, active=(units or {}).get(unit, "active"))
            for unit in expected_units(node)
        ),
        "ports": "".join(f"0.0.0.0:{port}\n" for port in sorted(ports)),
        "stand-ins": "jicofo 0~standin1\n",
        "versions": "nginx 1.26.3 ii \n",
    }
    if node is topology.jms:
        count = len(topology.bridges)
        said |= {
            "stats": json.dumps(
                {"bridge_selector": {"bridge_count": count, "operational_bridge_count": count}}
            ),
            "debug": json.dumps({"bridge_selector": {"bridge": _bridges(topology)}}),
            "connections": "".join(f"{vnode.name}\n" for vnode in topology.vnodes),
        }
    return said | changed


def unit_shown(unit: str, *, active: str = "active", pid: int = 0) -> str:
    """What systemd shows of a unit."""
    return (
        f"Id={unit}\nActiveState={active}\nSubState={SUB[active]}\nNRestarts=0\n"
        f"UnitFileState=enabled\nMainPID={pid}\n"
    )


def _bridges(topology: Topology) -> Mapping[str, Any]:
    return {f"jvbbrewery@muc/{nick}": {"operational": True} for nick in topology.bridges}


def make_healthy(nodes: FakeNodes, topology: Topology) -> None:
    """From now on every node says that it is ready."""
    for node in topology.nodes:
        nodes.says(node.name, probe_answer(topology, node), to=PROBE)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nodes: FakeNodes) -> Lab:
    """A healthy lab: JMS, one bridge, two visitor Prosodies; its machines run already."""
    folder = Workdir.of("demo", root=tmp_path)
    folder.path.mkdir(parents=True)
    found = Lab(folder, resolve(Spec(lab="demo", jvbs=1, visitors=2)))
    folder.save_topology(found.topology)
    pretend_machines(monkeypatch, found.topology)
    make_healthy(nodes, found.topology)
    return found


def pretend_machines(monkeypatch: pytest.MonkeyPatch, topology: Topology) -> NullProvider:
    """Machines of a lab that run already, images that are there, and a bridge that invites."""
    states = {node.name: "running" for node in topology.nodes}
    provider = NullProvider(states=states)
    monkeypatch.setitem(table.TABLE, ProviderName.DOCKER, provider)  # type: ignore[arg-type]
    for name in ("prove_local", "wait_local", "wait_ssh"):
        monkeypatch.setattr(vagrant, name, lambda *_, **__: None)
    monkeypatch.setattr(up, "ensure_images_of", lambda *_, **__: dict.fromkeys(Role, "image"))
    monkeypatch.setattr(up, "packages_of", lambda *_, **__: {})
    monkeypatch.setattr(wait, "wait_media", lambda *_, **__: None)
    return provider
