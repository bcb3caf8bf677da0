"""The whole way, in the order in which a user goes it: up, look, verify, change, halt, destroy.

The tests share one lab and leave it as they found it; `test_the_end` destroys it.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.labs.conftest import ROOT, Lab

pytestmark = pytest.mark.lab


def docker(*words: str) -> str:
    return subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    ).stdout


def labels(lab: Lab) -> list[str]:
    return ["--filter", f"label=labctl.lab={lab.name}"]


def assert_gone(lab: Lab) -> None:
    assert docker("ps", "-a", "-q", *labels(lab)) == ""
    assert docker("network", "ls", "-q", *labels(lab)) == ""
    assert not lab.path.exists()


def test_status_shows_a_healthy_lab_and_says_stand_in(lab: Lab) -> None:
    status = lab.run("status", "--json").json()
    assert status["healthy"], status["missing"]
    assert [node["name"] for node in status["nodes"]] == ["jms", "jvb1", "jvb2", "visitors1"]
    assert all(bridge["operational"] for bridge in status["bridges"])
    assert [bridge["nick"] for bridge in status["bridges"]] == ["jvb", "jvb1", "jvb2"]
    assert all(vnode["registered"] for vnode in status["vnodes"])
    assert len(status["vnodes"]) == 8
    assert "jicofo" in status["stand_ins"]
    assert "STAND-IN" in lab.run("status").out


def test_the_live_view_sees_the_same(lab: Lab) -> None:
    """One look at a real lab has everything that the views show, and finds nothing missing."""
    seen = lab.run("watch", "--json").json()
    assert seen["healthy"], seen["missing"]
    assert [node["mood"] for node in seen["nodes"]] == ["fine"] * 4
    for bridge in seen["bridges"]:
        assert bridge["operational"] and bridge["healthy"] and bridge["stress"] is not None
        assert bridge["traffic"] is not None and bridge["media"]["passed"]
    assert [vnode["registered"] for vnode in seen["vnodes"]] == [True] * 8
    assert {line["node"] for line in seen["lines"]} >= {"jms", "jvb1", "jvb2"}
    assert "STAND-INS" in lab.run("watch", "--once").out


def test_acceptance_suite_passes(lab: Lab) -> None:
    ended = lab.run("verify", check=False)
    assert ended.code == 0, ended.out[-4000:]
    assert " passed" in ended.out


def test_a_second_up_restarts_nothing(lab: Lab) -> None:
    before = lab.starts()
    lab.run("up")
    assert lab.starts() == before


def test_a_setting_is_applied_to_the_running_lab(lab: Lab) -> None:
    before = lab.starts()
    lab.run("up", "--max-participants", "3")
    after = lab.starts()
    assert after["jvb1"] == before["jvb1"]
    assert after["visitors1"] == before["visitors1"]
    ended = lab.run("verify", "-m", "visitors", check=False)
    assert ended.code == 0, ended.out[-4000:]
    lab.run("up", "--max-participants", "30")


def test_a_lab_that_lost_a_node_and_a_file_is_repaired(lab: Lab) -> None:
    docker("rm", "-f", f"labctl-{lab.name}-jvb2")
    lab.run("exec", "jvb1", "--", "sudo", "rm", "/etc/jitsi/videobridge/jvb.conf")
    lab.run("exec", "visitors1", "--", "sudo", "systemctl", "stop", "prosody-v@3")
    ended = lab.run("status", "--json", check=False)
    assert ended.code == 1
    assert not ended.json()["healthy"]
    lab.run("up")
    assert lab.run("status", "--json").json()["healthy"]


def test_growing_and_shrinking_keep_the_nodes_that_stay(lab: Lab) -> None:
    before = lab.starts()
    lab.run("up", "--jvbs", "3")
    assert len(lab.run("status", "--json").json()["bridges"]) == 4
    assert lab.starts()["jvb1"] == before["jvb1"]
    lab.run("up", "--jvbs", "2")
    assert len(lab.run("status", "--json").json()["bridges"]) == 3
    assert f"labctl-{lab.name}-jvb3" not in docker("ps", "-a", "--format", "{{.Names}}")


def test_plain_vagrant_works_on_the_current_lab(lab: Lab) -> None:
    for _ in range(3):  # meanwhile another process of bin/test may make its lab the current one
        lab.run("up")
        done = subprocess.run(
            ["vagrant", "ssh", "jvb1", "-c", "hostname"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
        if done.returncode == 0:
            break
    assert done.stdout.strip() == "jvb1", done.stderr


def test_exec_hands_on_output_and_exit_status(lab: Lab) -> None:
    ended = lab.run("exec", "jvb1", "--", "sh", "-c", "echo out; exit 7", check=False)
    assert (ended.code, ended.out) == (7, "out\n")


def test_logs_come_from_every_node(lab: Lab) -> None:
    assert "Starting Jicofo." in lab.run("logs", "jms").out
    folder = lab.run("logs").out.strip()
    names = subprocess.run(["ls", folder], capture_output=True, text=True, check=True).stdout
    assert names.split() == ["jms.log", "jvb1.log", "jvb2.log", "visitors1.log"]


def test_no_secret_is_in_a_log_or_an_image(lab: Lab) -> None:
    secrets: dict[str, Any] = json.loads((lab.path / "secrets.json").read_text())
    words = [secrets["focus_password"], secrets["jvb_password"]]
    words += secrets["vnode_passwords"].values()
    lab.run("logs")
    for log in (lab.path / "logs").rglob("*.log"):
        text = log.read_text(errors="replace")
        assert not [word for word in words if word in text], f"a secret is in {log}"
    history = docker("inspect", *docker("ps", "-q", *labels(lab)).split())
    assert not [word for word in words if word in history]


def test_an_unknown_node_is_a_usage_error(lab: Lab) -> None:
    ended = lab.run("ssh", "jvb9", check=False)
    assert ended.code == 2
    assert "has no node 'jvb9'" in ended.err
    assert "jms, jvb1, jvb2, visitors1" in ended.err


def test_two_ups_at_once_do_not_mix(lab: Lab) -> None:
    held = lab.path.parent / f".{lab.name}.lock"
    done = subprocess.run(
        ["flock", "-n", held, ROOT / "bin" / "labctl", "up", "--lab", lab.name],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"Lab '{lab.name}' is held by" in done.stderr


def test_halt_and_up_bring_the_same_lab_back(lab: Lab) -> None:
    secrets = (lab.path / "secrets.json").read_text()
    lab.run("halt")
    status = lab.run("status", "--json", check=False).json()
    assert {node["machine"] for node in status["nodes"]} == {"stopped"}
    lab.run("up")
    assert lab.run("status", "--json").json()["healthy"]
    assert (lab.path / "secrets.json").read_text() == secrets
