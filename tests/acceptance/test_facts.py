"""How nodes' answers are read; the lines are real ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from acceptance.facts import Listener, parse_facts, script_for, units_of
from labctl.core.waiting import NO_PATIENCE
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from tests.fakes.nodes import sections_of

LINES = {
    "units": [
        "MainPID=101",
        "Result=success",
        "Id=prosody.service",
        "ActiveState=active",
        "SubState=running",
        "UnitFileState=enabled",
        "ActiveEnterTimestamp=Sat 2026-11-21 13:30:03 UTC",
        "",
        "MainPID=0",
        "Id=jicofo.service",
        "ActiveState=inactive",
        "UnitFileState=generated",
        "",
        "Id=other.service",
        "UnitFileState=generated",
        "",
        "Id=off.service",
        "UnitFileState=disabled",
    ],
    "init scripts": ["jicofo", "off"],
    "clock": ["2026-11-21 13:53:25"],
    "passwd": ["root:0", "prosody:995"],
    "processes": ["www-data                             108 nginx: worker process"],
    "listeners": [
        "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* ino:80592 sk:1 cgroup:/system.slice/ssh.service <->",
        "tcp LISTEN 0 128 127.0.0.1:5280 0.0.0.0:* uid:995 ino:79789 sk:3 <->",
        "tcp LISTEN 0 128 [::]:5222 [::]:* uid:995 ino:79787 sk:7 v6only:1 <->",
        "udp UNCONN 0 0 10.77.4.105%eth0:10000 0.0.0.0:* uid:7 ino:1 sk:8 <->",
    ],
    "log /var/log/prosody/prosody.err": [
        "Nov 21 13:00:00 modulemanager\terror\tError initializing module 'old'",
        "Nov 21 13:30:04 modulemanager\terror\tError initializing module 'visitors_component'",
    ],
}
SECTIONS = sections_of(LINES)


def test_listeners_and_their_users() -> None:
    found = parse_facts("jms", SECTIONS).listeners
    assert found == (
        Listener("tcp", "0.0.0.0", 22, "root"),
        Listener("tcp", "127.0.0.1", 5280, "prosody"),
        Listener("tcp", "[::]", 5222, "prosody"),
        Listener("udp", "10.77.4.105", 10000, "uid 7"),
    )
    assert [it.on_loopback for it in found] == [False, True, False, False]


def test_units() -> None:
    found = parse_facts("jms", SECTIONS)
    prosody, jicofo = found.units["prosody.service"], found.units["jicofo.service"]
    assert (prosody.active, prosody.result) == ("active", "success")
    assert found.age("prosody.service") == timedelta(seconds=1402)
    assert (jicofo.active, jicofo.result) == ("inactive", "")
    assert found.age("jicofo.service") is None


@pytest.mark.parametrize(
    ("unit", "starts"),
    [
        ("prosody.service", True),
        ("jicofo.service", True),
        ("other.service", False),
        ("off.service", False),
    ],
)
def test_what_starts_at_boot(unit: str, starts: bool) -> None:
    """Jicofo's package has an init script and no unit: systemd then says 'generated'."""
    assert parse_facts("jms", SECTIONS).starts_at_boot(unit) is starts


def test_only_the_present_run_s_failed_modules_count() -> None:
    [line] = parse_facts("jms", SECTIONS).failed_modules()
    assert "visitors_component" in line


def test_processes() -> None:
    assert parse_facts("jms", SECTIONS).processes == (("www-data", "nginx: worker process"),)


@pytest.mark.parametrize("name", ["jms", "jvb1", "visitors1"])
def test_the_script_asks_for_every_unit(name: str) -> None:
    topology = resolve(Spec(jvbs=1, visitors=2))
    node = topology.node(name)
    assert all(unit in script_for(node, NO_PATIENCE).text for unit in units_of(node))
