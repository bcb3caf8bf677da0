"""Both sides of drift, read from nodes that pretend."""

from __future__ import annotations

import json

import pytest

from labctl.core.errors import LabError
from labctl.drift.read import KEPT, PLACED, SHIPPED, Skipped, read_all
from labctl.images.bakeinput import PLACEHOLDER_HOST
from labctl.topology.lab import Lab
from tests.fakes.nodes import ANY, FakeNodes

JVB = "/etc/jitsi/videobridge/jvb.conf"
FILES = 'section "$file"'
UNITS = 'section "$unit"'
UNIT = "jitsi-videobridge2.service"


@pytest.fixture
def said(lab: Lab, nodes: FakeNodes) -> FakeNodes:
    """Nodes on which both sides are the same."""
    nodes.says(ANY, {f"{KEPT}{JVB}": "a = 1\n", JVB: "a = 1\n"}, to=FILES)
    nodes.says(ANY, {f"jitsi-videobridge2 {SHIPPED}/{UNIT}": "[Service]\nUser=jvb\n"}, to=UNITS)
    side = json.dumps({"*": {"modules_enabled": ["ping"]}})
    nodes.says("jms", f"{side}\n{side}\n", to="lua5.4 -")
    return nodes


def test_what_is_the_same_and_what_is_not_there(lab: Lab, said: FakeNodes) -> None:
    jms, jvb, visitors = read_all(lab)
    assert not jms.differences
    assert "is not there" in jms.skipped["jicofo"].reason
    assert not jms.skipped["jicofo"].expected
    assert (jvb.differences, dict(jvb.skipped)) == ((), {})
    assert "no configuration for visitor Prosodies" in visitors.skipped["prosody"].reason
    assert visitors.skipped["prosody"].expected
    assert not said.ran_on("visitors1")


def test_differences_of_every_kind(lab: Lab, said: FakeNodes) -> None:
    said.says("jvb1", {f"{KEPT}{JVB}": "a = 1\n", JVB: "a = 2\n"}, to=FILES)
    added = {
        f"jitsi-videobridge2 {SHIPPED}/{UNIT}": "[Service]\nUser=jvb\n",
        f"jitsi-videobridge2 {PLACED}/{UNIT}.d/labctl.conf": "[Service]\nNice=5\n",
    }
    said.says("jvb1", added, to=UNITS)
    old, new = ({"*": {"c2s_require_encryption": value}} for value in (False, True))
    said.says("jms", f"{json.dumps(old)}\n{json.dumps(new)}\n", to="lua5.4 -")
    found = {
        (reading.node, it.area, it.name, it.packaged, it.placed)
        for reading in read_all(lab)
        for it in reading.differences
    }
    assert found == {
        ("jvb1", "videobridge", "a", "1", "2"),
        ("jvb1", "units", "Nice", None, "5"),
        ("jms", "prosody", "c2s_require_encryption", "false", "true"),
    }


def test_the_collector_arrives_on_standard_input(lab: Lab, said: FakeNodes) -> None:
    read_all(lab)
    (ran,) = said.ran_on("jms", "lua5.4 -")
    assert ran.sudo and ran.stdin is not None and "loadfile" in ran.stdin


def test_a_configuration_that_prosody_could_not_read(lab: Lab, said: FakeNodes) -> None:
    said.says("jms", to="lua5.4 -", code=1, errors="lua5.4: prosody.cfg.lua:3: '=' expected\n")
    said.says(
        "jms", {f"nginx {PLACED}/nginx.service.d/labctl.conf": "[Service]\nNice=5\n"}, to=UNITS
    )
    jms, jvb, _ = read_all(lab)
    assert jms.skipped["prosody"] == Skipped(
        "Prosody's configuration cannot be read: prosody.cfg.lua:3: '=' expected"
    )
    assert [it.name for it in jms.differences] == ["(whole)"]
    assert jvb.skipped == {}


@pytest.mark.parametrize("lines", ["", "{}\n", "{}\nnot JSON\n"], ids=["none", "one", "damaged"])
def test_half_of_what_prosody_reads_is_not_compared(lab: Lab, said: FakeNodes, lines: str) -> None:
    said.says("jms", lines, to="lua5.4 -")
    jms, *_ = read_all(lab)
    assert jms.skipped["prosody"].reason.startswith("Prosody's configuration")


SITE = "/etc/nginx/sites-available/{}.conf"


def test_one_line_that_cannot_be_read_does_not_hide_the_other_areas(
    lab: Lab, said: FakeNodes
) -> None:
    kept, placed = (SITE.format(name) for name in (PLACEHOLDER_HOST, lab.topology.domain))
    jicofo, nginx = "/etc/jitsi/jicofo/jicofo.conf", "/etc/nginx/nginx.conf"
    texts = {
        f"{KEPT}{JVB}": "a = 1\n",
        JVB: "a = 2\n",
        f"{KEPT}{jicofo}": "a = [ 1, }\n",
        jicofo: "a = 1\n",
        f"{KEPT}{kept}": "server { listen 443; root /a; }\n",
        placed: "server { listen 443; root /b; }\n",
        f"{KEPT}{nginx}": "events { ; }\n",
        nginx: "events {\n",
    }
    said.says("jms", texts, to=FILES)
    jms, *_ = read_all(lab)
    assert {(it.area, it.name) for it in jms.differences} == {
        ("videobridge", "a"),
        ("nginx-site", "root"),
    }
    assert set(jms.skipped) == {"jicofo", "nginx"}
    assert f"'{KEPT}{jicofo}' is not HOCON" in jms.skipped["jicofo"].reason
    assert jms.skipped["nginx"].reason == (
        f"'{nginx}': a block or a directive of nginx's is not closed"
    )


def test_a_node_that_does_not_answer_is_named(lab: Lab, said: FakeNodes) -> None:
    said.silence("jvb1")
    with pytest.raises(LabError, match="'jvb1' cannot be reached by ssh"):
        read_all(lab)
