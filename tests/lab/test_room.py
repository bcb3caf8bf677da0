"""Whether many labs fit together, and how many do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.core.errors import LabError
from labctl.lab.fit import least_mib, memory_mib
from labctl.lab.room import CONTAINER_MIB, MACHINE_MIB, check_room, disk_mib, how_many_fit
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.layout import resolve
from labctl.topology.spec import ProviderName, Spec

ONE = Spec(network=AUTO_NETWORK, jvbs=2, visitors=8)
VM = replace(ONE, provider=ProviderName.LIBVIRT)
PLENTY = 10**6


def said(*specs: Spec, memory: int = PLENTY, disk: int = PLENTY, there: int = 0) -> list[str]:
    lines: list[str] = []
    check_room(
        specs,
        asked=len(specs) + there,
        progress=lambda _, text: lines.append(text),
        available=memory,
        disk_free=disk,
    )
    return lines


def refused(*specs: Spec, memory: int = PLENTY, disk: int = PLENTY, there: int = 0) -> LabError:
    with pytest.raises(LabError) as caught:
        said(*specs, memory=memory, disk=disk, there=there)
    return caught.value


def test_twenty_labs_on_8_gib() -> None:
    error = refused(*[VM] * 20, memory=8 * 1024 + memory_mib(VM) // 2)
    small = (8 * 1024 + memory_mib(VM) // 2) // memory_mib(replace(VM, small=True))
    assert error.message.startswith("20 labs need at least ")
    assert error.message.endswith(": 1 of them fits.")
    assert error.hint is not None
    assert error.hint.startswith(f"Use '--count 1'. With '--small', {small} fit.")


def test_labs_that_are_there_already_count_in_what_is_advised() -> None:
    error = refused(*[ONE] * 4, memory=3 * least_mib(ONE), there=5)
    assert error.message.startswith("4 more labs need")
    assert error.message.endswith(": 3 of them fit.")
    assert (error.hint or "").startswith("Use '--count 8'. With '--small', machines may use less.")


def test_not_one_fits() -> None:
    error = refused(*[replace(ONE, small=True)] * 2, memory=100)
    assert error.message.endswith(": not one of them fits.")
    assert error.hint == "Fewer bridges take less, too ('--jvbs')."


def test_disk_counts_as_well() -> None:
    error = refused(*[ONE] * 3, disk=2 * disk_mib(ONE))
    assert " of disk, and " in error.message and error.message.endswith(": 2 of them fit.")
    nodes = len(resolve(replace(ONE, network=Spec().network)).nodes)
    assert (disk_mib(ONE), disk_mib(VM)) == (CONTAINER_MIB * nodes, MACHINE_MIB * nodes)


def test_containers_that_may_want_more_are_a_notice() -> None:
    assert said(ONE, ONE) == []
    (notice,) = said(ONE, ONE, memory=2 * memory_mib(ONE) - 1)
    assert "the machines of 2 labs may use" in notice


def test_the_first_labs_fit_first() -> None:
    assert how_many_fit([2, 2, 5, 1], free=5) == 2
    assert how_many_fit([], free=5) == 0
