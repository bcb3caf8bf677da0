"""Whether a lab fits into the memory that is free, and what would."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.core.errors import LabError
from labctl.lab.fit import (
    check_fit,
    least_mib,
    memory_mib,
    parse_available,
    what_fits,
)
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.layout import resolve
from labctl.topology.sizes import heap_mib
from labctl.topology.spec import Packages, PackageSource, ProviderName, Role, Size, Spec

DEFAULT = Spec()
VMS = replace(DEFAULT, provider=ProviderName.LIBVIRT)


def said(spec: Spec, available: int) -> list[str]:
    lines: list[str] = []
    check_fit(spec, available=available, progress=lambda _, text: lines.append(text))
    return lines


def test_available_memory_is_read_from_the_kernels_table() -> None:
    assert parse_available("MemTotal: 9 kB\nMemAvailable:   2097152 kB\n") == 2048
    assert parse_available("") == 0


def test_a_jms_two_bridges_and_two_vnodes_are_small_enough_for_3_gib() -> None:
    assert memory_mib(Spec(small=True, jvbs=2, visitors=2)) <= 3 * 1024


def test_a_lab_that_fits_is_made_without_a_word() -> None:
    assert said(DEFAULT, memory_mib(DEFAULT)) == []


def test_containers_are_limited_and_virtual_machines_take_their_memory() -> None:
    free = memory_mib(DEFAULT) - 1
    assert "'labctl up --small'" in said(DEFAULT, free)[0]
    with pytest.raises(LabError, match=r"needs at least 9\.0 GiB, and 9\.0 GiB") as caught:
        said(VMS, free)
    assert "'labctl up --small'" in (caught.value.hint or "")


def test_containers_that_could_not_even_start_are_refused() -> None:
    with pytest.raises(LabError, match=r"needs at least 2\.2 GiB, and 2\.0 GiB") as caught:
        said(DEFAULT, 2048)
    assert "'labctl up --small --jvbs 0'" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("available", "flags"),
    [
        (3072, "'labctl up --small'"),
        (2500, "'labctl up --small --jvbs 1'"),
        (1800, "'labctl up --small --jvbs 0'"),
        (1600, "'labctl up --small --jvbs 0 --visitors 0'"),
        (1000, ""),
    ],
)
def test_the_largest_that_fits_is_named(available: int, flags: str) -> None:
    assert what_fits(DEFAULT, available=available) == flags


def test_java_gets_half_of_a_smaller_nodes_memory() -> None:
    heaps = {node.role: heap_mib(node) for node in resolve(Spec(small=True)).nodes}
    assert heaps == {Role.JMS: 384, Role.JVB: 320, Role.VISITORS: None}
    usual = {node.role: heap_mib(node) for node in resolve(DEFAULT).nodes}
    assert usual == dict.fromkeys(usual, None)
    (own,) = (
        heap_mib(node)
        for node in resolve(Spec(jvbs=1, sizes={Role.JVB: Size(memory_mib=1024)})).nodes
        if node.role is Role.JVB
    )
    assert own == 512


def test_the_monitoring_node_is_counted() -> None:
    spec = Spec(jvbs=1, visitors=1)
    more = replace(spec, monitoring=True)
    assert memory_mib(more) - memory_mib(spec) == 512
    assert least_mib(more) - least_mib(spec) == 256


def test_fifty_bridges_fit_24_gib_if_they_are_stand_ins() -> None:
    """Stand-ins are no Java; what 'auto' comes to is not known before the images are."""
    large = Spec(provider=ProviderName.DOCKER, jvbs=50, visitors=8)
    assert least_mib(large) == 1024 + 50 * 512 + 256
    with pytest.raises(LabError, match=r"at least 26\.2 GiB"):
        said(large, 22 * 1024)
    stand_ins = replace(large, packages=Packages(source=PackageSource.STAND_INS))
    assert least_mib(stand_ins) == 512 + 50 * 160 + 256
    [notice] = said(stand_ins, 22 * 1024)
    assert "this lab's machines may use" in notice


def test_a_lab_whose_network_is_still_to_be_chosen_has_a_size() -> None:
    auto = replace(DEFAULT, network=AUTO_NETWORK)
    assert memory_mib(auto) == memory_mib(DEFAULT)
    assert said(auto, memory_mib(auto)) == []


def test_nodes_on_other_machines_take_nothing_of_this_one() -> None:
    alone = Spec(jvbs=1, visitors=0)
    spread = replace(alone, hosts=("local", "ssh://lab2"))
    away = replace(alone, hosts=("ssh://lab2", "ssh://lab3"))
    jms = resolve(alone).jms.size.memory_mib
    assert memory_mib(alone) > memory_mib(spread) == jms
    assert memory_mib(away) == 0
