"""A provider that only pretends is all that the verbs need: nothing else knows which one it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from labctl.cli.main import cli
from labctl.lab import current
from labctl.providers import table
from labctl.ready.record import save_record
from labctl.topology.lab import Lab
from labctl.topology.spec import ProviderName
from tests.fakes.host import FakeHost
from tests.fakes.nodes import FakeNodes
from tests.nullprovider import NullProvider


@pytest.fixture
def provider(
    lab: Lab, nodes: FakeNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> NullProvider:
    """The one that the lab's machines are of; they are made and stopped."""
    made = NullProvider(states=dict.fromkeys((node.name for node in lab.topology.nodes), "stopped"))
    monkeypatch.setitem(table.TABLE, ProviderName.DOCKER, made)  # type: ignore[arg-type]
    # The last one first, so that undoing it restores the order of the table for later tests.
    for other in reversed([name for name in table.TABLE if name is not ProviderName.DOCKER]):
        monkeypatch.delitem(table.TABLE, other)  # type: ignore[attr-defined]
    for node in lab.topology.nodes:
        FakeHost.on(nodes, node.name)
    monkeypatch.setattr(current, "CURRENT", tmp_path / "current")
    monkeypatch.setattr(current, "ensure_plain_vagrant", lambda *_: None)
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)
    return made


def labctl(*words: str) -> Result:
    return CliRunner().invoke(cli, words, standalone_mode=False, catch_exceptions=False)


def healthy(done: Result) -> bool:
    return bool(json.loads(done.stdout)["healthy"])


def test_up_status_halt_and_destroy(
    provider: NullProvider, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Media goes over sockets, which no pretended node has.
    monkeypatch.setattr("labctl.ready.wait.wait_media", lambda *_, **__: None)
    done = labctl("up", "--lab", "demo", "--jvbs", "1", "--visitors", "2")
    assert "Lab 'demo' is media-ready" in done.stdout
    assert provider.said == [
        "ensure",
        "check network",
        "prepare",
        "data",
        "start jms jvb1 visitors1",
    ]
    assert set(provider.states.values()) == {"running"}

    save_record(lab.folder, {"jvb": "", "jvb1": ""}, by="up")
    status = labctl("status", "--lab", "demo", "--json")
    assert (healthy(status), status.return_value) == (True, 0)
    assert json.loads(status.stdout)["machines"]["what"] == "pretended machines"

    labctl("halt", "--lab", "demo")
    assert provider.said[-1] == "halt jms jvb1 visitors1"
    status = labctl("status", "--lab", "demo", "--json")
    assert (healthy(status), status.return_value) == (False, 1)

    labctl("destroy", "--lab", "demo")
    assert provider.said[-1] == "clean"
    assert not lab.folder.path.exists()
