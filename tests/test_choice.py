"""Which provider a lab gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from labctl import choice
from labctl.capabilities import Rank
from labctl.choice import choose_provider, refuse_change, settle_provider
from labctl.docker import engine
from labctl.docker.engine import Answer, Asked, Engine
from labctl.errors import LabError
from labctl.layout import resolve
from labctl.model import Provider, Spec
from labctl.privilege import Privilege
from labctl.progress import silent
from labctl.providers import TABLE, ProviderFacts
from labctl.workdir import Workdir

DOCKER, LIBVIRT, VBOX = Provider.DOCKER, Provider.LIBVIRT, Provider.VIRTUALBOX


def row(provider: Provider, rank: Rank, problem: str | None = None) -> ProviderFacts:
    return replace(
        TABLE[DOCKER],
        provider=provider,
        problem=lambda: problem,
        rank=lambda: (rank, f"it is {rank.name}"),
    )


def rows(*, docker: str | None, kvm: bool, libvirt: str | None, vbox: str | None):  # type: ignore[no-untyped-def]
    return [
        row(DOCKER, Rank.CONTAINERS, docker),
        row(LIBVIRT, Rank.KVM if kvm else Rank.EMULATION, libvirt),
        row(VBOX, Rank.OTHER_HYPERVISOR, vbox),
    ]


@pytest.mark.parametrize(
    ("docker", "kvm", "libvirt", "vbox", "chosen"),
    [
        pytest.param(None, True, None, None, DOCKER, id="everything"),
        pytest.param("denied", True, None, None, LIBVIRT, id="KVM before VirtualBox"),
        pytest.param("denied", False, None, None, VBOX, id="VirtualBox before emulation"),
        pytest.param("denied", False, None, "absent", LIBVIRT, id="emulation is the last"),
    ],
)
def test_the_best_that_works(
    docker: str | None, kvm: bool, libvirt: str | None, vbox: str | None, chosen: Provider
) -> None:
    said: list[str] = []
    table = rows(docker=docker, kvm=kvm, libvirt=libvirt, vbox=vbox)
    found = choose_provider(progress=lambda phase, text, **_: said.append(text), rows=table)
    assert found is chosen
    [line] = said
    assert line.startswith(f"provider '{chosen}': it is ")
    assert ("; not 'docker': denied" in line) == (docker is not None)


def test_who_cannot_be_better_is_not_asked() -> None:
    def slow() -> NoReturn:
        pytest.fail("asked although containers work")

    table = [row(DOCKER, Rank.CONTAINERS), replace(row(LIBVIRT, Rank.KVM), problem=slow, rank=slow)]
    assert choose_provider(progress=silent, rows=table) is DOCKER


def test_when_none_works_every_reason_is_told() -> None:
    table = rows(docker="denied", kvm=True, libvirt="no daemon", vbox="absent")
    with pytest.raises(LabError) as caught:
        choose_provider(progress=silent, rows=table)
    assert caught.value.message.splitlines()[1:] == [
        "    'docker': denied",
        "    'libvirt': no daemon",
        "    'virtualbox': absent",
    ]


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    """A lab that runs on libvirt."""
    found = Workdir.of("demo", root=tmp_path)
    found.save_topology(resolve(Spec(lab="demo", provider=LIBVIRT)))
    return found


@pytest.mark.parametrize(
    ("wanted", "named", "settled"),
    [
        pytest.param(Provider.AUTO, True, LIBVIRT, id="auto keeps"),
        pytest.param(DOCKER, False, LIBVIRT, id="nothing said keeps"),
        pytest.param(DOCKER, True, DOCKER, id="named"),
    ],
)
def test_a_lab_keeps_its_provider(
    workdir: Workdir, wanted: Provider, named: bool, settled: Provider
) -> None:
    spec = Spec(lab="demo", provider=wanted)
    found = settle_provider(spec, named=named, workdir=workdir, progress=silent)
    assert found == replace(spec, provider=settled)


def test_a_new_lab_gets_what_was_named_or_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "choose_provider", lambda **_: VBOX)
    new = Workdir.of("new", root=tmp_path)
    for wanted, settled in ((LIBVIRT, LIBVIRT), (Provider.AUTO, VBOX), (DOCKER, DOCKER)):
        spec = Spec(provider=wanted)
        found = settle_provider(spec, named=wanted is LIBVIRT, workdir=new, progress=silent)
        assert found.provider is settled


def test_machines_stay_with_who_made_them(workdir: Workdir) -> None:
    refuse_change(Spec(provider=DOCKER), workdir=workdir)  # no machines
    machine = workdir.vagrant / "machines" / "jms" / "libvirt"
    machine.mkdir(parents=True)
    (machine / "id").write_text("1")
    refuse_change(Spec(provider=LIBVIRT), workdir=workdir)
    with pytest.raises(LabError, match="has machines of provider 'libvirt', not of 'docker'") as e:
        refuse_change(Spec(provider=DOCKER), workdir=workdir)
    assert "labctl destroy --lab demo" in str(e.value.hint)


@pytest.mark.parametrize(
    ("asked", "programs", "privilege", "problem"),
    [
        pytest.param(
            Asked(Answer.RUNS, Engine("1", Path("/"), "v2", "overlay2")),
            (),
            "NONE",
            None,
            id="runs",
        ),
        pytest.param(Asked(Answer.NONE), ("dockerd",), "ROOT", None, id="can be started"),
        pytest.param(Asked(Answer.NONE), ("apt-get",), "SUDO", None, id="can be installed"),
        pytest.param(Asked(Answer.NONE), ("dockerd",), "NONE", "needs root", id="without root"),
        pytest.param(Asked(Answer.NONE), (), "ROOT", "has none to start", id="no apt"),
        pytest.param(Asked(Answer.DENIED), ("dockerd",), "ROOT", "may not use it", id="denied"),
    ],
)
def test_whether_an_engine_can_be_had(
    asked: Asked,
    programs: tuple[str, ...],
    privilege: str,
    problem: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(engine, "ask_engine", lambda: asked)
    monkeypatch.setattr(engine, "find_program", lambda name: name if name in programs else None)
    monkeypatch.setattr(engine, "find_privilege", lambda: Privilege[privilege])
    said = engine.find_problem()
    assert (said is None) if problem is None else (said is not None and problem in said)
