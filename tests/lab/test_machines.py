"""The order of `VagrantMachines.up`, with a provider that only notes what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.core.waiting import Deadline, Patience
from labctl.host import network
from labctl.node.keys import ensure_keys
from labctl.providers import table as providers
from labctl.providers import vagrant
from labctl.providers.vagrant import NOTHING, VagrantMachines
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Spec
from labctl.topology.workdir import Workdir
from tests.nullprovider import NullProvider

TOPOLOGY = resolve(Spec(lab="demo", jvbs=1, visitors=0))


class FakeVagrant:
    """Notes which machines Vagrant is asked to make."""

    def __init__(self, said: list[str], error: LabError | None) -> None:
        self._said, self._error = said, error

    def up(self, names: str, *, provider: ProviderName) -> None:
        self._said.append(f"vagrant up {names}")
        if self._error is not None:
            raise self._error


class Machines(VagrantMachines):
    """Machines whose Vagrant is a fake; everything else is the real thing."""

    said: list[str]
    error: LabError | None = None

    def _vagrant(self, progress: Progress, *, env: Mapping[str, str] = NOTHING) -> Any:
        return FakeVagrant(self.said, self.error)


Make = Callable[..., Machines]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    workdir = Workdir.of("demo", root=tmp_path)
    workdir.path.mkdir(parents=True)
    said: list[str] = []

    def note(word: str) -> Callable[..., Any]:
        return lambda *_, **__: said.append(word)

    def make_keys(lab: Lab) -> None:
        said.append("keys")
        ensure_keys(lab)

    # A Vagrant that a killed labctl left at work would fight with this one.
    monkeypatch.setattr(vagrant, "wait_unlocked", note("wait for orphans"))
    monkeypatch.setattr(vagrant, "ensure_keys", make_keys)
    monkeypatch.setattr(vagrant, "prove_local", note("prove"))
    monkeypatch.setattr(vagrant, "wait_local", note("wait for the network"))
    monkeypatch.setattr(vagrant, "wait_ssh", note("wait for ssh"))

    def build(
        states: dict[str, str],
        *,
        network_first: bool = True,
        consoles: dict[str, str] | None = None,
    ) -> Machines:
        provider = NullProvider(
            said=said,
            states=states,
            network_first=network_first,
            consoles=consoles or {},
            data={"patience": 5.0},
        )
        monkeypatch.setitem(providers.TABLE, ProviderName.DOCKER, provider)  # type: ignore[arg-type]
        machines = Machines(Lab(workdir, TOPOLOGY))
        machines.said = said
        return machines

    return build


PREPARED = ["wait for orphans", "keys", "prepare", "data"]


@pytest.mark.parametrize(
    ("states", "network_first", "order"),
    [
        pytest.param(
            {}, True, [*PREPARED, "prove", "vagrant up /^(jms|jvb1)$/", "wait for ssh"], id="new"
        ),
        pytest.param(
            {"jms": "stopped"},
            True,
            [*PREPARED, "prove", "start jms", "vagrant up /^(jvb1)$/", "wait for ssh"],
            id="one stopped",
        ),
        pytest.param(
            {"jms": "running", "jvb1": "running"},
            True,
            [*PREPARED, "prove", "wait for ssh"],
            id="running",
        ),
        pytest.param(
            {"jms": "stopped"},
            False,
            [
                *PREPARED,
                "start jms",
                "vagrant up /^(jvb1)$/",
                "wait for the network",
                "wait for ssh",
            ],
            id="network comes with the machine",
        ),
    ],
)
def test_order(make: Make, states: dict[str, str], network_first: bool, order: list[str]) -> None:
    machines = make(states, network_first=network_first)
    machines.up()
    assert machines.said == order


def test_patience_counts_from_the_first_connection_on(make: Make) -> None:
    machines = make({"jms": "running", "jvb1": "running"})
    machines.up()
    workdir = machines._lab.folder
    assert workdir.load_patience() == Patience(5.0)
    assert "ConnectTimeout 25\n" in workdir.ssh_config.read_text()


def test_a_node_that_never_answers_ssh_shows_its_console(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    consoles = {
        "jms": "fine\n",
        "jvb1": "".join(f"line {n}\n" for n in range(99)) + "Kernel panic\n\n",
    }
    machines = make({"jms": "running", "jvb1": "running"}, consoles=consoles)

    def silent(*_: object, **__: object) -> None:
        raise LabError("No ssh from 'jvb1' (10.0.0.1: refused).", hint="Look.")

    monkeypatch.setattr(vagrant, "wait_ssh", silent)
    with pytest.raises(LabError) as caught:
        machines.up()
    lines = caught.value.message.splitlines()
    assert lines[:2] == [
        "No ssh from 'jvb1' (10.0.0.1: refused).",
        "The console of 'jvb1' ended with:",
    ]
    assert lines[-1] == "    Kernel panic"
    assert len(lines) == 2 + vagrant.CONSOLE_LINES
    assert caught.value.hint == "Look."


def test_when_vagrant_fails_the_consoles_are_shown_and_nothing_is_sent(
    make: Make, tmp_path: Path
) -> None:
    machines = make({}, network_first=False, consoles={"jms": "GRUB\n"})
    machines.error = LabError("Vagrant could not run the lab's machines.", log=tmp_path / "v.log")
    with pytest.raises(LabError) as caught:
        machines.up()
    assert caught.value.message.endswith("The console of 'jms' ended with:\n    GRUB")
    assert caught.value.log == tmp_path / "v.log"
    assert machines.said[-1].startswith("vagrant up")


def test_a_network_that_comes_up_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[LabError | None] = [LabError("No interface owns it."), None]

    def prove(addresses: Collection[IPv4Address], net: IPv4Network) -> None:
        if error := answers.pop(0):
            raise error

    monkeypatch.setattr(network, "prove_local", prove)
    network.wait_local([], TOPOLOGY.network, deadline=Deadline.after(5))
    assert answers == []
    answers[:] = [LabError("No interface owns it.")] * 9
    with pytest.raises(LabError, match="No interface owns it"):
        network.wait_local([], TOPOLOGY.network, deadline=Deadline.after(0))


def test_nodes_are_made_one_after_another_where_vagrant_must(make: Make) -> None:
    machines = make({})
    assert "VAGRANT_NO_PARALLEL" not in machines._env()
    machines._provider.parallel_up = False  # type: ignore[misc]
    assert machines._env()["VAGRANT_NO_PARALLEL"] == "1"
