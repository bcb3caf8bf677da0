"""Doctor's proof: what an answer means, and that nothing is left whatever happens."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.core.checks import CheckStatus
from labctl.core.findings import Finding
from labctl.core.progress import silent
from labctl.core.waiting import Deadline, wait_until
from labctl.host.trial import PREFIX, is_stale, trial_bridge, trial_name
from labctl.providers.docker import prove
from labctl.providers.docker.command import docker
from labctl.providers.docker.prove import GREETING, LABEL, judge, prove_node, write_units
from labctl.topology.workdir import LAB_NAME, ROOT


@pytest.mark.parametrize(
    ("greeting", "status", "found"),
    [
        pytest.param(GREETING, "", [None, None], id="all is well"),
        pytest.param("", "226", [Finding.UNIT_REFUSED, None], id="mounts are refused"),
        pytest.param("", "203", [Finding.NODE_BROKEN, None], id="another failure"),
        pytest.param("", "", [Finding.NODE_BROKEN, None], id="no answer"),
        pytest.param(None, "", [Finding.NODE_UNREACHED], id="no connection"),
        pytest.param(
            None, "226", [Finding.UNIT_REFUSED, Finding.NODE_UNREACHED], id="neither of both"
        ),
    ],
)
def test_what_an_answer_means(
    greeting: str | None, status: str, found: list[Finding | None]
) -> None:
    assert [check.finding for check in judge(greeting, status=status, image="x")] == found


def test_units_are_hardened_and_start_by_themselves(tmp_path: Path) -> None:
    write_units(tmp_path)
    unit = (tmp_path / "labctl-doctor@.service").read_text(encoding="utf-8")
    assert "ProtectSystem=strict" in unit and "PrivateTmp=yes" in unit and "'" not in unit
    link = tmp_path / "sockets.target.wants" / "labctl-doctor.socket"
    assert link.is_symlink() and not link.exists()  # it leads to where the file is in a node


def test_no_lab_is_called_like_a_trial() -> None:
    assert not LAB_NAME.fullmatch(trial_name()) and not trial_name().startswith("labctl-")
    assert len(trial_bridge(f"{PREFIX}4194304")) <= 15
    assert not is_stale(trial_name()) and not is_stale("labctl-demo")
    # No process has a number above the kernel's limit.
    assert is_stale(f"{PREFIX}4194305")


def left() -> list[str]:
    """What trials have left on the engine."""
    words = ("--filter", f"label={LABEL}", "--quiet")
    return [*docker("ps", "--all", *words).split(), *docker("network", "ls", *words).split()]


@pytest.fixture
def node_image() -> Iterator[str]:
    image = prove.find_image()
    if image is None:
        pytest.skip("there is no image of labctl yet")
    yield image
    assert left() == []


@pytest.mark.engine
def test_a_node_is_proven_and_removed(node_image: str) -> None:
    said: list[str] = []
    found = prove_node(lambda phase, text, **_: said.append(text))
    assert {check.name: check.status for check in found} == {
        "proof, network": CheckStatus.OK,
        "proof, systemd": CheckStatus.OK,
        "proof, packets": CheckStatus.OK,
    }
    assert any(node_image in line for line in said)


@pytest.mark.engine
def test_a_unit_whose_mounts_are_refused_is_named(
    node_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd says 226/NAMESPACE for any mount that it cannot make for a unit."""
    name = "labctl-doctor@.service"
    units = {**prove.UNITS, name: prove.UNITS[name] + "BindPaths=/nowhere:/mnt\n"}
    monkeypatch.setattr(prove, "UNITS", units)
    found = {check.name: check.finding for check in prove_node(silent)}
    assert found == {
        "proof, network": None,
        "proof, systemd": Finding.UNIT_REFUSED,
        "proof, packets": None,
    }


@pytest.mark.engine
def test_without_an_image_the_network_is_proven_and_the_rest_is_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prove, "find_image", lambda: None)
    found = {check.name: check.finding for check in prove_node(silent)}
    assert found == {"proof, network": None, "proof, systemd": Finding.PROOF_OPEN}
    assert left() == []


@pytest.mark.engine
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_is_interrupted_is_removed(kind: signal.Signals, node_image: str) -> None:
    """At once, or after SIGKILL by the next doctor."""
    code = "from labctl.cli.main import main; main()"
    words = [sys.executable, "-c", code, "doctor", "--network", "10.255.254.0/24"]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as child:
        name = f"{PREFIX}{child.pid}"
        there = wait_until(
            lambda: bool(docker("ps", "--quiet", "--filter", f"name=^{name}$").strip()),
            deadline=Deadline.after(30),
            interval=0.05,
        )
        os.kill(child.pid, kind)
        _, said = child.communicate(timeout=30)
    assert there, said
    if kind is signal.SIGKILL:
        assert left()
        prove.remove_stale()
    else:
        assert child.returncode == 130, said
    assert left() == []
