"""The table of roles is whole, and says of each role what the rest of labctl reads."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from labctl.topology.layout import resolve, roles_of
from labctl.topology.logs import shared_log_folders
from labctl.topology.packages import jitsi_packages, node_packages, shown_packages
from labctl.topology.roles import (
    BRIDGE,
    COMMON,
    JICOFO,
    PROSODY,
    TABLE,
    all_units,
    image_units,
    managed_units,
    prosody_units,
    role_facts,
    rows,
    runs,
    units_of,
)
from labctl.topology.spec import MAX_JVBS, Role, Spec, VisitorsLayout
from labctl.topology.units import PortOrigin
from labctl.topology.workdir import ROOT


def test_every_role_has_its_row() -> None:
    assert set(TABLE) == set(Role)
    assert all(row.role is role for role, row in TABLE.items())
    assert role_facts(Role.JVB).debian == ()


def test_the_page_names_the_roles() -> None:
    page = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    shown = page.partition("## The roles\n")[2].partition("\n## ")[0].strip("\n")
    assert shown.splitlines() == [f"    {row.role:<10} {row.what}" for row in rows()]


def test_sizes_are_not_below_the_least() -> None:
    assert [row.role for row in rows() if row.size.memory_mib < row.least_memory_mib] == []


def test_nodes_of_two_roles_never_share_an_address() -> None:
    largest = Spec(jvbs=MAX_JVBS, visitors=64, visitors_per_node=2)
    addresses = [node.address for node in resolve(largest).nodes]
    assert len(set(addresses)) == len(addresses)
    assert all(first.first_offset < second.first_offset for first, second in pairwise(rows()))


@pytest.mark.parametrize(
    ("name", "wishes", "expected"),
    [
        ("jms", {}, "prosody nginx jicofo jitsi-videobridge2"),
        ("jms", {"turn": True}, "prosody nginx jicofo jitsi-videobridge2 coturn"),
        ("jvb1", {"turn": True}, "jitsi-videobridge2"),
        ("visitors1", {"visitors": 2}, "prosody-v@1 prosody-v@2"),
        (
            "jms",
            {"visitors": 1, "visitors_layout": VisitorsLayout.LOCAL},
            "prosody nginx jicofo jitsi-videobridge2 prosody-v@1",
        ),
    ],
    ids=["jms", "turn", "jvb", "visitors", "local"],
)
def test_units(name: str, wishes: dict[str, object], expected: str) -> None:
    node = resolve(Spec(**wishes)).node(name)  # type: ignore[arg-type]
    assert [unit.stem for unit in units_of(node)] == ["ssh", "nftables", *expected.split()]
    assert managed_units(node) == units_of(node)[1:]


def test_a_vnode_has_names_and_ports_of_its_own() -> None:
    node = resolve(Spec(visitors=12, visitors_per_node=8)).node("visitors2")
    unit = units_of(node)[-1]
    assert unit.name == "prosody-v@12.service"
    assert (unit.template, unit.program) == ("prosody-v@.service", "prosody")
    assert unit.waited_ports == (52232, 52702, 52812)
    assert unit.error_log == "/var/log/prosody-v12/prosody.err"
    assert unit.configs[0].path == "/etc/prosody-v12/prosody.cfg.lua"
    assert unit.vnode is not None
    assert unit.vnode.index == 12


def test_who_runs_what() -> None:
    topology = resolve(Spec(jvbs=1, visitors=2))
    jms, jvb, visitors = topology.nodes
    assert runs(jms, JICOFO)
    assert not runs(jvb, JICOFO)
    assert [node.name for node in topology.nodes if runs(node, BRIDGE)] == ["jms", "jvb1"]
    assert [len(prosody_units(node)) for node in (jms, jvb, visitors)] == [1, 0, 2]
    assert prosody_units(jms) == (PROSODY,)


def test_a_role_with_a_bridge_runs_one() -> None:
    for row in rows():
        runs_bridge = any(unit.template == BRIDGE.template for unit in row.units)
        assert runs_bridge == (row.bridge is not None), row.role


def test_on_the_jms_nobody_else_reaches_what_is_for_the_jms() -> None:
    ports = [port for unit in role_facts(Role.JMS).units for port in unit.ports]
    assert PortOrigin.JMS not in {port.from_ for port in ports}


def test_ports_that_are_waited_for() -> None:
    assert BRIDGE.waited_ports == (8080,)
    assert BRIDGE.signal_ports == ()
    assert PROSODY.waited_ports == PROSODY.signal_ports == (5222, 5269, 5280)


@pytest.mark.parametrize("unit", all_units(), ids=lambda unit: unit.template)
def test_a_unit_tells_of_itself(unit: object) -> None:
    found = next(each for each in all_units() if each is unit)
    assert found.name.endswith(".service")
    assert found.change in ("restart", "reload")
    assert not found.package or found.error_log, "the gate shows its last words"
    assert found.stage is not None or found in COMMON


def test_packages() -> None:
    assert jitsi_packages() == (
        "jicofo",
        "jitsi-videobridge2",
        "jitsi-meet-prosody",
        "jitsi-meet-web-config",
        "jitsi-meet-web",
    )
    assert {unit.package for unit in all_units()} - {""} <= set(jitsi_packages())
    assert shown_packages(Role.VISITORS)[-1] == "prosody"
    assert "lua-unbound" not in shown_packages(Role.JMS)
    assert "coturn" in shown_packages(Role.JMS)
    assert "coturn" in node_packages(resolve(Spec(turn=True)).jms)
    assert "coturn" not in node_packages(resolve(Spec()).jms)


def test_images_hold_the_units_that_are_started() -> None:
    assert image_units(Role.VISITORS) == ("prosody", "nftables")
    assert image_units(Role.JVB) == ("jitsi-videobridge2", "nftables")
    for node in resolve(Spec(turn=True)).nodes:
        started = {unit.program for unit in managed_units(node)}
        assert started == set(image_units(node.role))


@pytest.mark.parametrize(
    ("wishes", "roles"),
    [
        ({}, {Role.JMS, Role.JVB, Role.VISITORS}),
        ({"jvbs": 0, "visitors": 0}, {Role.JMS}),
        ({"jvbs": 1, "visitors_layout": VisitorsLayout.LOCAL}, {Role.JMS, Role.JVB}),
    ],
)
def test_a_lab_has_the_roles_that_it_has_nodes_of(wishes: dict[str, Any], roles: set[Role]) -> None:
    assert set(roles_of(Spec(**wishes))) == roles


def test_jicofo_and_the_bridge_log_into_one_folder() -> None:
    assert "/var/log/jitsi" in shared_log_folders()
    assert not any("nginx" in folder for folder in shared_log_folders())
