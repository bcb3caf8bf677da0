"""Whether an engine answers, how it would be started, and whose it is to stop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.files import write_json
from labctl.core.pids import start_ticks
from labctl.core.waiting import Deadline
from labctl.providers.docker import dockerd, engine
from labctl.providers.docker.dockerd import Attempt, dockerd_command
from labctl.providers.docker.engine import Asked, Engine, EngineAnswer, Started, parse_info

INFO = {
    "ServerVersion": "26.1.5",
    "DockerRootDir": "/data/docker",
    "CgroupVersion": "2",
    "CgroupDriver": "systemd",
    "Driver": "overlay2",
}
NOBODY = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
DENIED = "permission denied while trying to connect to the Docker daemon socket"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        pytest.param(
            json.dumps(INFO),
            Asked(
                EngineAnswer.RUNS, Engine("26.1.5", Path("/data/docker"), "v2, systemd", "overlay2")
            ),
            id="runs",
        ),
        pytest.param(
            "WARNING: something\n" + json.dumps(INFO),
            Asked(
                EngineAnswer.RUNS, Engine("26.1.5", Path("/data/docker"), "v2, systemd", "overlay2")
            ),
            id="runs, with a warning",
        ),
        pytest.param(
            json.dumps({"ServerErrors": [NOBODY]}),
            Asked(EngineAnswer.NONE, said=NOBODY),
            id="absent",
        ),
        pytest.param(
            json.dumps({"ServerErrors": [DENIED]}),
            Asked(EngineAnswer.DENIED, said=DENIED),
            id="denied",
        ),
        pytest.param(DENIED, Asked(EngineAnswer.DENIED, said=DENIED), id="denied, as text"),
        pytest.param("", Asked(EngineAnswer.NONE), id="silent"),
    ],
)
def test_parse_info(text: str, asked: Asked) -> None:
    assert parse_info(text) == asked


@pytest.mark.parametrize(
    ("mtu", "options"), [(1500, []), (9000, []), (1400, ["--mtu=1400"])], ids=str
)
def test_containers_do_not_send_more_than_gets_out(mtu: int, options: list[str]) -> None:
    assert dockerd_command(mtu=mtu)[1:] == options


def test_a_process_is_known_by_its_start(tmp_path: Path) -> None:
    assert start_ticks(os.getpid()) is not None
    assert start_ticks(2**22 + 1) is None


@pytest.mark.programs
def test_an_attempt_fails_when_its_process_ends() -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    attempt = Attempt(Deadline.after(5), child.pid)
    assert not attempt.failed
    child.communicate(b"\n")
    assert attempt.failed
    assert not Attempt(Deadline.after(5)).failed


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine whose Docker client finds no engine; the folder is first in PATH."""
    script = tmp_path / "docker"
    script.write_text(f"#!/bin/sh\necho '{json.dumps({'ServerErrors': [NOBODY]})}'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    return tmp_path


@pytest.mark.programs
def test_an_engine_elsewhere_is_not_replaced(
    no_engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(LabError, match=r"at 'tcp://127\.0\.0\.1:1' \(DOCKER_HOST\)"):
        engine.ensure_engine(progress=pytest.fail)


@pytest.mark.programs
def test_a_user_who_may_not_is_told_how(no_engine: Path) -> None:
    script = no_engine / "docker"
    script.write_text(f"#!/bin/sh\necho '{DENIED}' >&2\nexit 1\n")
    with pytest.raises(LabError, match="may not use it") as caught:
        engine.ensure_engine(progress=pytest.fail)
    assert "usermod -aG docker" in (caught.value.hint or "")


@pytest.mark.programs
def test_every_way_is_tried_and_the_log_is_shown(
    no_engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = no_engine / "dockerd"
    script.write_text("#!/bin/sh\necho 'failed to start daemon: no room'\nexit 1\n")
    script.chmod(0o755)
    init = no_engine / "init"
    init.write_text("#!/bin/sh\nexit 2\n")
    init.chmod(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(dockerd, "SYSTEMD", no_engine / "no-systemd")
    monkeypatch.setattr(dockerd, "INIT_SCRIPT", init)
    monkeypatch.setattr(dockerd, "PID_FILES", {})
    monkeypatch.setattr(dockerd, "FAILED_SECONDS", 0.0)
    monkeypatch.setattr(dockerd, "_is_starting", lambda: False)
    said: list[str] = []
    with pytest.raises(LabError, match="failed to start daemon: no room") as caught:
        engine.ensure_engine(progress=lambda phase, text, **_: said.append(text))
    assert caught.value.log == dockerd.log_file()
    assert [text.partition("(")[2] for text in said] == ["init script) ...", "dockerd) ..."]


def test_an_engine_that_is_not_ours_is_left_alone() -> None:
    assert engine.stop_engine() is False


def test_another_process_with_the_same_number_is_left_alone() -> None:
    ticks = start_ticks(os.getpid())
    assert ticks is not None
    write_json(engine.marker_file(), asdict(Started("dockerd", os.getpid(), ticks + 1)))
    assert engine.stop_engine() is False
    assert not engine.marker_file().exists()


@pytest.mark.programs
def test_our_engine_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        ticks = start_ticks(child.pid)
        assert ticks is not None
        write_json(engine.marker_file(), asdict(Started("dockerd", child.pid, ticks)))
        assert engine.stop_engine() is True
    assert child.returncode == -15
    assert not engine.marker_file().exists()


@pytest.mark.engine
def test_the_engine_of_this_machine_answers() -> None:
    asked = engine.ask_engine()
    assert asked.engine is not None, asked.said
    assert engine.ensure_engine(progress=pytest.fail) == asked.engine
