"""The order of `VagrantMachines.up`, with a row of the table that only notes what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from labctl import capabilities, network, providers, vagrant
from labctl.errors import LabError
from labctl.layout import resolve
from labctl.model import Provider, Spec
from labctl.progress import Progress
from labctl.vagrant import VagrantMachines
from labctl.waiting import Deadline
from labctl.workdir import Workdir

TOPOLOGY = resolve(Spec(lab="demo", jvbs=1, visitors=0))


class FakeVagrant:
    """Notes which machines Vagrant is asked to make."""

    def __init__(self, said: list[str], error: LabError | None) -> None:
        self._said, self._error = said, error

    def up(self, names: str, *, provider: Provider) -> None:
        self._said.append(f"vagrant up {names}")
        if self._error is not None:
            raise self._error


class Machines(VagrantMachines):
    """Machines whose Vagrant is a fake; everything else is the real thing."""

    said: list[str]
    error: LabError | None = None

    def _vagrant(self, progress: Progress) -> Any:
        return FakeVagrant(self.said, self.error)


Make = Callable[..., Machines]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    workdir = Workdir.of("demo", root=tmp_path)
    workdir.path.mkdir(parents=True)
    said: list[str] = []

    def note(word: str) -> Callable[..., Any]:
        return lambda *_, **__: said.append(word)

    def prepare(*_: object) -> dict[str, str]:
        said.append("prepare")
        return {}

    def vagrant_data(*_: object) -> dict[str, float]:
        said.append("data")
        return {"patience": 5.0}

    monkeypatch.setattr(vagrant, "prove_local", note("prove"))
    monkeypatch.setattr(vagrant, "wait_local", note("wait for the network"))
    monkeypatch.setattr(vagrant, "wait_ssh", note("wait for ssh"))

    def build(
        states: dict[str, str],
        *,
        network_first: bool = True,
        consoles: dict[str, str] | None = None,
    ) -> Machines:
        row = replace(
            providers.TABLE[Provider.DOCKER],
            prepare=prepare,
            vagrant_data=vagrant_data,
            states=lambda _: states,
            start=lambda _, names: said.append(f"start {' '.join(names)}"),
            console=lambda _, node: (consoles or {}).get(node, ""),
        )
        pure = replace(capabilities.TABLE[Provider.DOCKER], network_first=network_first)
        monkeypatch.setitem(providers.TABLE, Provider.DOCKER, row)  # type: ignore[arg-type]
        monkeypatch.setitem(capabilities.TABLE, Provider.DOCKER, pure)  # type: ignore[arg-type]
        machines = Machines(workdir, TOPOLOGY)
        machines.said = said
        return machines

    return build


PREPARED = ["prepare", "data"]


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
    workdir = machines._workdir
    assert workdir.patience == 5.0
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
        "The console of 'jvb1' said last:",
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
    assert caught.value.message.endswith("The console of 'jms' said last:\n    GRUB")
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
    machines._capabilities = replace(machines._capabilities, parallel_up=False)
    assert machines._env()["VAGRANT_NO_PARALLEL"] == "1"
