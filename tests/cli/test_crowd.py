"""`labctl crowd --machines`: for which labs it is, and what is asked of their machines."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from labctl.cli import crowd as command
from labctl.core.errors import UsageError
from labctl.core.progress import Progress
from labctl.crowd.figures import Figures
from labctl.crowd.record import CrowdRecord
from labctl.crowd.run import CrowdOutcome
from labctl.crowd.shares import Place
from labctl.providers import table
from labctl.providers.base import CrowdHost
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Spec
from labctl.topology.workdir import Workdir
from tests.nullprovider import NullProvider

HOSTS = ("local", "ssh://lab2", "ssh://lab3")


@dataclass
class Spreading(NullProvider):
    """Two other machines, whatever the lab says."""

    asked: list[int] = field(default_factory=list)

    def crowd_hosts(self, lab: Lab, *, processes: int, progress: Progress) -> tuple[CrowdHost, ...]:
        self.asked.append(processes)
        progress("images", "sending an image")
        return tuple(CrowdHost(name, ("python3",), {}, "") for name in ("lab2", "lab3"))


@dataclass
class Ran:
    """What the command had a crowd do."""

    provider: Spreading
    folder: Path
    places: tuple[Place, ...] = ()

    def crowd(self, *words: str) -> Result:
        return CliRunner().invoke(command.crowd_command, words, standalone_mode=False)

    def refusal(self, *words: str) -> UsageError:
        error = self.crowd(*words).exception
        assert isinstance(error, UsageError) and not self.provider.asked
        return error


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ran:
    folder = Workdir.of("demo", root=tmp_path)
    folder.path.mkdir(parents=True)
    found = Ran(Spreading(), folder.path)
    lab = Lab(folder, resolve(Spec(lab="demo", visitors=2, hosts=HOSTS)))

    def run(*_: object, places: tuple[Place, ...], **__: Any) -> CrowdOutcome:
        found.places = places
        machines = {"local": 4, "lab2": 3, "lab3": 3}
        return CrowdOutcome(Figures(asked=12, joined=12, in_call=12), False, (), machines)

    monkeypatch.setattr(command, "load_lab", lambda _: lab)
    monkeypatch.setattr(command, "run", run)
    monkeypatch.setitem(table.TABLE, ProviderName.DOCKER, found.provider)
    return found


def test_visitors_come_from_every_machine(ran: Ran) -> None:
    done = ran.crowd("--participants", "2", "--visitors", "10", "--machines", "--processes", "2")
    assert done.exception is None
    assert ran.provider.asked == [2]
    assert [place.machine for place in ran.places] == ["local"] * 2 + ["lab2"] * 2 + ["lab3"] * 2
    assert "visitors from 'lab2': 3" in done.stdout
    assert "sending an image" in done.stderr and "sending" not in done.stdout
    record = CrowdRecord.from_json(json.loads((ran.folder / "crowd.json").read_text()))
    assert record.machines == {"local": 4, "lab2": 3, "lab3": 3} and record.processes == 2


def test_without_it_no_other_machine_is_asked(ran: Ran) -> None:
    assert ran.crowd("--visitors", "10").exception is None
    assert ran.provider.asked == [] and ran.places == ()


def test_records_of_older_versions_are_read() -> None:
    old = {**CrowdRecord(lab="demo").to_json()}
    del old["machines"]
    assert CrowdRecord.from_json(old).machines == {}


def test_each_process_needs_a_visitor(ran: Ran) -> None:
    error = ran.refusal("--visitors", "5", "--machines", "--processes", "2")
    assert "'--machines' makes 6 processes, which is more than the 5 visitors" in error.message
    assert ran.crowd("--visitors", "6", "--machines", "--processes", "2").exception is None


def test_secrets_of_tls_stay_on_their_machine(ran: Ran) -> None:
    error = ran.refusal("--visitors", "9", "--machines", "--tls-keys", "keys.log")
    assert "'--tls-keys' takes the secrets of this machine's connections only" in error.message
    assert error.hint and "Omit" in error.hint


@pytest.mark.parametrize("hosts", [(), ("local",)], ids=["no hosts", "this one"])
def test_a_lab_on_one_machine_has_no_others(
    ran: Ran, hosts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(Workdir(ran.folder), resolve(Spec(lab="demo", visitors=2, hosts=hosts)))
    monkeypatch.setattr(command, "load_lab", lambda _: lab)
    error = ran.refusal("--visitors", "9", "--machines")
    assert error.message == "Lab 'demo' is on this machine only, so '--machines' has no others."
    assert error.hint and "'hosts' in lab.conf" in error.hint
