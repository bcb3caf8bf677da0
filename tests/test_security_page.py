"""docs/security.md says what the code does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from labctl.providers.docker.containers import NODE_OPTIONS
from labctl.spec.hocon import MOST_CHARACTERS, MOST_INCLUDES, MOST_QUOTED, MOST_SUBSTITUTIONS
from labctl.topology.layout import resolve
from labctl.topology.ports import declared_ports
from labctl.topology.spec import Spec
from tests.rendering import fixed_trees

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
WHOLE = Spec(jvbs=1, visitors=1, relays=True, turn=True)


def table(head: str) -> list[list[str]]:
    """The rows of a table of the page, below its two lines of head."""
    lines = PAGE.partition(head)[2].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_ports_is_the_firewalls() -> None:
    topology = resolve(WHOLE)
    wanted = [
        [str(node.role), f"{port.number}/{port.proto}", str(port.from_), port.what]
        for node in topology.nodes
        for port in declared_ports(topology, node)
    ]
    assert table("| role | port") == wanted


def test_what_depends_on_a_key_is_said() -> None:
    def numbers(spec: Spec) -> set[int]:
        topology = resolve(spec)
        return {it.number for node in topology.nodes for it in declared_ports(topology, node)}

    assert numbers(WHOLE) - numbers(replace(WHOLE, relays=False)) == {9090}
    assert numbers(WHOLE) - numbers(replace(WHOLE, turn=False)) == {3478, 5349}


def test_every_freedom_of_a_container_has_a_reason() -> None:
    """Each option of a node's container that takes a restriction away, and no other."""
    options = " ".join(NODE_OPTIONS)
    freedoms = set(re.findall(r"--(?:cap-add|security-opt) \S+|--\w+ns=\S+", options))
    assert {row[0].strip("`") for row in table("| option |")} == freedoms
    assert "--privileged" not in options


def test_a_nodes_firewall_drops_by_default_and_forwards_nothing() -> None:
    for tree in fixed_trees(WHOLE):
        [rules] = [file.text for file in tree.files if file.path == "/etc/nftables.conf"]
        assert "hook input priority filter; policy drop;" in rules
        assert "masquerade" not in rules


def test_the_bounds_of_a_lab_conf() -> None:
    assert f"at most {MOST_CHARACTERS:,} characters" in PAGE
    assert f"{MOST_QUOTED:,} of quoted text" in PAGE
    assert f"{MOST_SUBSTITUTIONS} substitutions" in PAGE
    assert f"files only, {MOST_INCLUDES} deep" in PAGE
