"""Which provider a lab gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from labctl.core.errors import LabError
from labctl.core.privilege import Privilege
from labctl.core.progress import silent
from labctl.providers import choice
from labctl.providers.base import Rank
from labctl.providers.choice import choose_provider, refuse_change, resolve_provider
from labctl.providers.docker import engine
from labctl.providers.docker.engine import Asked, Engine, EngineAnswer
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Spec
from labctl.topology.workdir import Workdir
from tests.nullprovider import NullProvider

DOCKER, LIBVIRT, VBOX = ProviderName.DOCKER, ProviderName.LIBVIRT, ProviderName.VIRTUALBOX


def row(provider: ProviderName, rank: Rank, problem: str | None = None) -> NullProvider:
    return NullProvider(provider, rank_here=rank, find_problem=lambda: problem)


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
    docker: str | None, kvm: bool, libvirt: str | None, vbox: str | None, chosen: ProviderName
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

    table = [row(DOCKER, Rank.CONTAINERS), NullProvider(LIBVIRT, find_problem=slow)]
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
        pytest.param(ProviderName.AUTO, True, LIBVIRT, id="auto keeps"),
        pytest.param(DOCKER, False, LIBVIRT, id="nothing said keeps"),
        pytest.param(DOCKER, True, DOCKER, id="named"),
    ],
)
def test_a_lab_keeps_its_provider(
    workdir: Workdir, wanted: ProviderName, named: bool, settled: ProviderName
) -> None:
    spec = Spec(lab="demo", provider=wanted)
    found = resolve_provider(spec, named=named, workdir=workdir, progress=silent)
    assert found == replace(spec, provider=settled)


def test_a_new_lab_gets_what_was_named_or_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "choose_provider", lambda **_: VBOX)
    new = Workdir.of("new", root=tmp_path)
    for wanted, settled in ((LIBVIRT, LIBVIRT), (ProviderName.AUTO, VBOX), (DOCKER, DOCKER)):
        spec = Spec(provider=wanted)
        found = resolve_provider(spec, named=wanted is LIBVIRT, workdir=new, progress=silent)
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
            Asked(EngineAnswer.RUNS, Engine("1", Path("/"), "v2", "overlay2")),
            (),
            "NONE",
            None,
            id="runs",
        ),
        pytest.param(Asked(EngineAnswer.NONE), ("dockerd",), "ROOT", None, id="can be started"),
        pytest.param(Asked(EngineAnswer.NONE), ("apt-get",), "SUDO", None, id="can be installed"),
        pytest.param(
            Asked(EngineAnswer.NONE), ("dockerd",), "NONE", "needs root", id="without root"
        ),
        pytest.param(Asked(EngineAnswer.NONE), (), "ROOT", "has none to start", id="no apt"),
        pytest.param(
            Asked(EngineAnswer.DENIED), ("dockerd",), "ROOT", "may not use it", id="denied"
        ),
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


def test_virtual_machines_stay_on_one_machine(tmp_path: Path) -> None:
    spec = Spec(provider=ProviderName.LIBVIRT, hosts=("local", "ssh://lab2"))
    workdir = Workdir.of("demo", root=tmp_path)
    with pytest.raises(LabError, match="cannot spread a lab") as caught:
        resolve_provider(spec, named=True, workdir=workdir, progress=silent)
    assert "'docker'" in (caught.value.hint or "")
    able = replace(spec, provider=ProviderName.DOCKER)
    assert resolve_provider(able, named=True, workdir=workdir, progress=silent) == able
