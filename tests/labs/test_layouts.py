"""The other layout, relays, coturn, monitoring and drift: one lab, changed while it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.labs.conftest import ROOT, Lab

pytestmark = pytest.mark.lab

KEPT = "/var/lib/labctl/packaged/etc"
NAME = "selftest-local"


@pytest.fixture(scope="module")
def local() -> Iterator[Lab]:
    """Ten vnodes on the JMS, relays and coturn on."""
    lab = Lab(name=NAME, path=ROOT / ".lab" / NAME)
    if (lab.path / "topology.json").is_file():
        lab.run("destroy", "--lab", NAME)
    layout = ("--visitors", "10", "--visitors-layout", "local", "--jvbs", "1")
    more = ("--relays", "--turn", "--network", "10.77.99.0/24", "--packages", "stand-ins")
    lab.run("up", "--lab", NAME, *layout, *more, timeout=1500)
    yield lab
    lab.run("destroy", "--lab", NAME, check=False)


def test_local_layout_has_no_nodes_for_visitors(local: Lab) -> None:
    nodes = {node["name"]: node for node in local.topology()["nodes"]}
    assert list(nodes) == ["jms", "jvb1"]
    assert nodes["jms"]["vnodes"] == list(range(1, 11))


def test_acceptance_suite_passes_on_the_local_layout(local: Lab) -> None:
    ended = local.run("verify", "-m", "not slow", check=False)
    assert ended.code == 0, ended.out[-4000:]


def test_drift_finds_nothing_that_nobody_has_judged(local: Lab) -> None:
    ended = local.run("drift", "--json", check=False)
    assert (ended.code, ended.json()["unknown"]) == (0, [])
    assert ended.json()["intended"]
    assert ended.json()["skipped"] == []


def test_drift_shows_what_a_package_changes(local: Lab) -> None:
    host = "image.labctl.invalid"
    edits = (
        f"sed -i 's/smacks_hibernation_time = 60/smacks_hibernation_time = 90/'"
        f" {KEPT}/prosody/conf.avail/{host}.cfg.lua",
        f"echo 'videobridge.sctp.enabled = false' >> {KEPT}/jitsi/videobridge/jvb.conf",
        f"sed -i 's/ssl_session_timeout 1d/ssl_session_timeout 2d/'"
        f" {KEPT}/nginx/sites-available/{host}.conf",
    )
    script = f"cp -a {KEPT} /root/kept; " + "; ".join(edits)
    local.run("exec", "jms", "--", "sudo", "sh", "-c", script)
    ended = local.run("drift", "--json", check=False)
    found = {(it["area"], it["name"], it["packaged"]) for it in ended.json()["unknown"]}
    local.run("exec", "jms", "--", "sudo", "sh", "-c", f"rm -r {KEPT}; mv /root/kept {KEPT}")
    assert ended.code == 1
    assert found == {
        ("prosody", "smacks_hibernation_time", "90"),
        ("videobridge", "videobridge.sctp.enabled", "false"),
        ("nginx-site", "ssl_session_timeout", "2d"),
    }


def test_drift_shows_no_secret(local: Lab) -> None:
    secrets = (local.path / "secrets.json").read_text()
    words = [word for word in secrets.split('"') if len(word) >= 24]
    shown = local.run("drift", "--json").out + local.run("drift", "--all").out
    assert words
    assert not [word for word in words if word in shown]


def test_a_running_lab_changes_its_layout(local: Lab) -> None:
    layout = ("--visitors-layout", "nodes", "--visitors", "2", "--no-relays", "--no-turn")
    local.run("up", *layout, "--monitoring", timeout=1500)
    nodes = [node["name"] for node in local.topology()["nodes"]]
    assert nodes == ["jms", "jvb1", "monitoring", "visitors1"]
    words = "monitoring or security or config or ports or services or visitors"
    ended = local.run("verify", "-m", f"not slow and ({words})", check=False)
    assert ended.code == 0, ended.out[-4000:]
    assert local.run("drift", check=False).code == 0


def test_a_lost_bridge_has_an_alert_that_ends(local: Lab) -> None:
    ended = local.run("verify", "-m", "slow and monitoring", check=False)
    assert ended.code == 0, ended.out[-4000:]
    told = json.loads(local.run("metrics", "ALERTS", "--json").out)
    seen = {each["labels"]["alertname"]: each["labels"].get("bridge") for each in told["series"]}
    assert seen["BridgeLost"] == "jvb1"
    now = local.run("metrics", "--json").json()
    assert [it for it in now["alerts"] if it["name"] == "BridgeLost"] == []
    recorded = {it["labels"]["__name__"]: it["points"][-1]["value"] for it in now["recorded"]}
    assert (recorded["lab:bridges:answering"], recorded["lab:vnodes:linked"]) == (2, 2)


def test_monitoring_is_turned_off_again(local: Lab) -> None:
    local.run("up", "--no-monitoring")
    assert "monitoring" not in [node["name"] for node in local.topology()["nodes"]]
    ended = local.run("verify", "-m", "not slow and (ports or services)", check=False)
    assert ended.code == 0, ended.out[-4000:]
    assert "has no monitoring" in local.run("metrics", check=False).err
