"""Many labs: their names, networks and domains, and what is settled before any of them starts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from labctl.core.errors import LabError, UsageError
from labctl.core.progress import silent
from labctl.lab import many, network, room
from labctl.lab.many import Planned, default_at_once, labs_named, plan_labs, settle
from labctl.lab.network import moved
from labctl.lab.saved import save_spec
from labctl.providers import table
from labctl.spec import LoadedSpec, load_with_origins
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.spec import ProviderName, Role
from labctl.topology.workdir import Workdir
from tests.nullprovider import NullProvider


def loaded(flags: Mapping[str, Any], saved: Mapping[str, Any]) -> LoadedSpec:
    return load_with_origins(None, flags, saved=saved)


def plan(root: Path, count: int, name: str = "course", **flags: Any) -> list[Planned]:
    return plan_labs(name, count, load=partial(loaded, flags), find=partial(Workdir.of, root=root))


def test_each_lab_has_a_name_a_domain_and_a_network_of_its_own(tmp_path: Path) -> None:
    labs = plan(tmp_path, 3, network="10.9.0.0/24", domain="meet.example", jvbs="1")
    assert [lab.spec.lab for lab in labs] == ["course-1", "course-2", "course-3"]
    assert [str(lab.spec.network) for lab in labs] == ["10.9.0.0/24", "10.9.1.0/24", "10.9.2.0/24"]
    assert labs[2].spec.domain == "course-3.meet.example"
    assert labs[2].data == {
        "lab": "course-3", "domain": "course-3.meet.example", "network": "10.9.2.0/24", "jvbs": "1",
    }  # fmt: skip
    assert plan(tmp_path, 1)[0].spec.network == AUTO_NETWORK


def test_the_same_command_without_flags_makes_missing_labs_like_the_others(tmp_path: Path) -> None:
    first = plan(tmp_path, 2, network="10.9.0.0/24", domain="meet.example", jvbs="1")
    save_spec(first[1].workdir, first[1].data)
    again = plan(tmp_path, 3)
    assert [lab.spec for lab in again[:2]] == [lab.spec for lab in first]
    assert (again[2].spec.jvbs, str(again[2].spec.network)) == (1, "10.9.2.0/24")
    assert again[2].spec.domain == "course-3.meet.example"


@pytest.mark.parametrize(
    ("name", "flags", "said"),
    [
        ("x" * 31, {}, "is not a valid name"),
        ("-x", {}, "is not a valid name"),
        ("course", {"domain": "192.168.56.105"}, "is an address"),
    ],
)
def test_what_no_lab_can_have(
    name: str, flags: Mapping[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        plan(tmp_path, 2, name, **flags)


def test_there_is_an_end_of_networks() -> None:
    with pytest.raises(UsageError, match="none 1 after"):
        moved(IPv4Network("255.255.255.0/24"), by=1)


def test_labs_of_a_name_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("course-10", "course-2", "course", "course-x", "course-02", "other-1"):
        (tmp_path / ".lab" / name).mkdir(parents=True)
    found = labs_named("course", find=partial(Workdir.of, root=tmp_path))
    assert [folder.lab for folder in found] == ["course-2", "course-10"]


@pytest.mark.parametrize(("cpus", "width"), [(1, 2), (2, 2), (16, 8), (64, 20)])
def test_as_many_at_once_as_the_machine_bears(
    cpus: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cpus)
    assert default_at_once(20) == width
    assert default_at_once(1) == 1


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The labs for which images were looked for; the provider is there and likes every network."""
    asked: list[str] = []

    def ensure(spec: Any, **_: Any) -> dict[Role, str]:
        asked.append(spec.lab)
        return dict.fromkeys(Role, "image")

    provider = NullProvider()
    monkeypatch.setitem(table.TABLE, ProviderName.DOCKER, provider)  # type: ignore[arg-type]
    monkeypatch.setattr(many, "ensure_images_of", ensure)
    monkeypatch.setattr(many, "ensure_provider", lambda *_, **__: None)
    monkeypatch.setattr(network, "check_provider", lambda *_, **__: None)
    monkeypatch.setattr(room, "available_mib", lambda: 64 * 1024)
    monkeypatch.setattr(room, "disk_free_mib", lambda _: None)
    return asked


def test_networks_are_chosen_and_images_made_once_before_anything_starts(
    tmp_path: Path, images: list[str]
) -> None:
    labs = plan(tmp_path, 3, network="auto")
    settled = settle(labs, at_once=2, progress=silent, refresh=False)
    networks = [str(each.planned.spec.network) for each in settled]
    assert networks == ["192.168.56.0/24", "192.168.57.0/24", "192.168.58.0/24"]
    assert images == ["course-1"]
    assert settled[2].among.pace == ", 2 at once"
    again = settle(plan(tmp_path, 3), at_once=2, progress=silent, refresh=False)
    assert [str(each.planned.spec.network) for each in again] == networks


def test_what_is_planned_is_said(tmp_path: Path, images: list[str]) -> None:
    lines: list[str] = []
    labs = plan(tmp_path, 2, small="on")
    settle(labs, at_once=2, progress=lambda phase, text: lines.append(text), refresh=False)
    assert lines[0].startswith("2 new labs: ")
    assert lines[0].endswith("; 2 at once, nobody knows yet how long")


def test_too_many_labs_leave_nothing_behind(
    tmp_path: Path, images: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "available_mib", lambda: 8 * 1024)
    with pytest.raises(LabError, match=r"^20 labs need at least .* and 8\.0 GiB are free: \d of"):
        settle(plan(tmp_path, 20), at_once=2, progress=silent, refresh=False)
    assert images == []
    assert not (tmp_path / ".lab").exists()
