"""What a crowd takes, against what one of 16,003 took (benchmarks/README.md)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.crowd.needs import CrowdNeeds, crowd_needs
from labctl.topology.layout import resolve
from labctl.topology.spec import Role, Size, Spec, VisitorsLayout

EIGHT = Spec(visitors=8)


def needs(
    spec: Spec = EIGHT,
    *,
    participants: int = 3,
    visitors: int,
    rate: float = 100,
    cores: int = 2,
) -> CrowdNeeds:
    nodes = resolve(spec).nodes
    return crowd_needs(nodes, participants=participants, visitors=visitors, rate=rate, cores=cores)


def test_sixteen_thousand_take_what_they_took() -> None:
    """More than 8 x 185 MB and less than 3 GiB; 896 s with two cores; 320 MB for each 8,000."""
    found = needs(visitors=16_000)
    assert [need.node for need in found.too_small] == ["visitors1"]
    (node,) = found.too_small
    assert node.role is Role.VISITORS
    assert 8 * 185 * 1e6 / 2**20 < node.needed < 3072
    assert found.seconds == pytest.approx(896, rel=0.05)
    assert 600 < found.crowd_mib < 640
    assert found.ping_cores == 1.6


def test_they_fit_with_the_memory_that_was_enough() -> None:
    large = replace(EIGHT, sizes={Role.VISITORS: Size(memory_mib=3072, cpus=2)})
    assert needs(large, visitors=16_000).too_small == ()


def test_default_nodes_are_large_enough_for_a_class() -> None:
    assert needs(participants=40, visitors=2000).too_small == ()


def test_the_rate_counts_where_it_is_slower_than_the_cores() -> None:
    assert needs(participants=0, visitors=100, rate=10).seconds == pytest.approx(10)
    quick = needs(participants=0, visitors=100, rate=10_000).seconds
    assert quick == pytest.approx(100 * 0.055 / 2, rel=0.05)


def test_participants_wait_for_the_main_room() -> None:
    assert needs(participants=30, visitors=0, rate=100).seconds == pytest.approx(10)
    assert needs(participants=30, visitors=0, rate=1).seconds == pytest.approx(30)


@pytest.mark.parametrize(
    ("visitors", "cores", "possible"),
    [(8900, 1, True), (9100, 1, False), (17_900, 2, True), (18_100, 2, False)],
)
def test_pings_must_leave_a_tenth_of_the_cores(
    visitors: int, cores: int, *, possible: bool
) -> None:
    assert (needs(participants=0, visitors=visitors, cores=cores).seconds is not None) is possible


def test_vnodes_on_the_jms_count_there() -> None:
    found = needs(replace(EIGHT, visitors_layout=VisitorsLayout.LOCAL), visitors=4000)
    apart = needs(visitors=4000)
    assert [need.node for need in found.nodes] == ["jms"]
    assert found.nodes[0].needed > apart.nodes[0].needed + 300


def test_a_lab_without_vnodes_has_participants_only() -> None:
    found = needs(Spec(visitors=0), participants=100, visitors=0)
    assert [need.node for need in found.nodes] == ["jms"]
