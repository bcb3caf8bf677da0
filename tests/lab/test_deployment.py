"""Deployments by upstream's rules, and what of them a machine can run."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from labctl.cli.crowd import crowd_command
from labctl.crowd.needs import MAX_VISITORS, crowd_needs
from labctl.lab.deployment import RULES, plan_deployment
from labctl.spec.build import load_spec
from labctl.topology.layout import resolve
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


def test_a_crowd_of_ten_thousand_fits_two_cores(tmp_path: Path) -> None:
    crowd = plan_deployment(10_000, SPEC, available=23_000, cores=2).here.crowd
    assert crowd is not None and crowd.why_not == ""
    wanted = "labctl crowd --participants 30 --visitors 9970 --rate 100/s --processes 2"
    assert crowd.command == wanted
    assert crowd.settings == (
        "roles.jms.memory = 1792 MiB",
        "roles.visitors.memory = 1280 MiB",
    )
    conf = tmp_path / "lab.conf"
    conf.write_text("\n".join(crowd.settings), encoding="utf-8")
    lab, _ = load_spec(conf, {"visitors": "5", "small": True})
    needs = crowd_needs(resolve(lab).nodes, participants=30, visitors=9970, rate=100, cores=2)
    assert needs.too_small == ()


@pytest.mark.parametrize(
    ("participants", "available", "cores", "words"),
    [
        (10_000, 23_000, 1, "pings alone take 1.0 of 1 cores"),
        (10_000, 3000, 2, "nodes and crowd take"),
        (30_000, LOTS, 16, "a crowd has at most 20,000 visitors"),
    ],
)
def test_why_a_crowd_cannot_come(participants: int, available: int, cores: int, words: str) -> None:
    crowd = plan_deployment(participants, SPEC, available=available, cores=cores).here.crowd
    assert crowd is not None
    assert words in crowd.why_not


def test_no_crowd_where_vnodes_do_not_fit() -> None:
    here = plan_deployment(10_000, SPEC, available=1536, cores=2).here
    assert (here.vnodes, here.crowd) == (0, None)


def test_the_largest_crowd_is_what_the_command_allows() -> None:
    (option,) = (it for it in crowd_command.params if it.name == "visitors")
    assert isinstance(option.type, click.IntRange)
    assert option.type.max == MAX_VISITORS


def test_the_rules_are_those_of_the_facts() -> None:
    page = (ROOT / "docs" / "facts" / "operations.md").read_text(encoding="utf-8")
    for words in ("about 50 bridges of 8 cores", "2000 participants a vnode", "16 cores", "8 GB"):
        assert words in re.sub(r"\s+", " ", page)
    assert all(rule.source for rule in RULES)
