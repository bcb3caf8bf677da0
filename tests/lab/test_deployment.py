"""Deployments by upstream's rules, and what of them a machine can run."""

from __future__ import annotations

import re

import pytest

from labctl.lab.deployment import RULES, plan_deployment
from labctl.topology.spec import Spec
from labctl.topology.workdir import ROOT

SPEC = Spec()
LOTS = 1_000_000


def test_ten_thousand_are_as_upstream_says() -> None:
    sized = plan_deployment(10_000, SPEC, available=LOTS, cores=2)
    assert (sized.main, sized.visitors) == (30, 9970)
    assert (sized.bridges, sized.vnodes, sized.jms_cores) == (50, 5, 13)
    assert (sized.cores, sized.memory_gib) == (413, 408)
    assert [it.name.rpartition(".")[2] for it in sized.settings] == [
        "max-visitors-per-node",
        "max-bridge-participants",
    ]


@pytest.mark.parametrize(
    ("participants", "visitors", "bridges", "vnodes", "settings"),
    [
        (1, 0, 1, 0, 0),
        (30, 0, 1, 0, 0),
        (31, 1, 1, 1, 0),
        (201, 171, 2, 1, 1),
        (2031, 2001, 11, 2, 2),
    ],
)
def test_small_ones(
    participants: int, visitors: int, bridges: int, vnodes: int, settings: int
) -> None:
    sized = plan_deployment(participants, SPEC, available=LOTS)
    assert (sized.visitors, sized.bridges, sized.vnodes) == (visitors, bridges, vnodes)
    assert len(sized.settings) == settings


def test_upstreams_example_of_a_jms_with_16_cores() -> None:
    assert plan_deployment(16_030, SPEC, available=LOTS).jms_cores == 16


@pytest.mark.parametrize(
    ("available", "flags", "whole"),
    [
        (1000, "", False),
        (1536, "--small --jvbs 0 --visitors 0", False),
        (1536 + 256 + 640, "--small --jvbs 1 --visitors 5", False),
        (LOTS, "--small --jvbs 49 --visitors 5", True),
    ],
)
def test_the_part_that_fits_here(available: int, flags: str, *, whole: bool) -> None:
    here = plan_deployment(10_000, SPEC, available=available).here
    assert here.flags == flags
    assert here.whole is whole
    assert not flags or here.needs_mib <= available


def test_more_than_a_lab_can_have_is_a_part() -> None:
    here = plan_deployment(200_000, SPEC, available=10 * LOTS).here
    assert (here.jvbs, here.vnodes, here.whole) == (50, 64, False)


def test_the_rules_are_those_of_the_facts() -> None:
    page = (ROOT / "docs" / "facts" / "operations.md").read_text(encoding="utf-8")
    for words in ("about 50 bridges of 8 cores", "2000 participants a vnode", "16 cores", "8 GB"):
        assert words in re.sub(r"\s+", " ", page)
    assert all(rule.source for rule in RULES)
