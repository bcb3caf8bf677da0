"""The Docker engine: whether one answers, and starting one where none does."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from labctl import process
from labctl.docker.dockerd import INIT_SCRIPT, PID_FILE, Attempt, log_file, ways
from labctl.errors import LabError
from labctl.privilege import Privilege, find_privilege, find_program, run_as_root
from labctl.progress import Progress
from labctl.waiting import Deadline, wait_until
from labctl.workdir import state_dir, write_json

STOP_SECONDS = 60.0
ASK_INTERVAL = 0.25
ASK_SECONDS = 30.0


class Answer(StrEnum):
    """What came of asking the engine."""

    RUNS = "runs"
    DENIED = "denied"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers: its version, where its data lies, which cgroups it uses."""

    version: str
    root: Path
    cgroups: str
    storage: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The engine, if it answered, or what the client said instead."""

    answer: Answer
    engine: Engine | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """How labctl started the engine: by which manager, and which process it is.

    `ticks` is the process's start time, so that another process with its number is not taken
    for it.
    """

    how: str
    pid: int
    ticks: int


def marker_file() -> Path:
    """What says that labctl started the engine."""
    return state_dir() / "engine.json"


def parse_info(text: str) -> Asked:
    """The answer in `docker info --format '{{json .}}'`, which exits 0 even without an engine."""
    start = text.find("{")
    try:
        data: dict[str, Any] = json.loads(text[start:]) if start >= 0 else {}
    except ValueError:
        data = {}
    if data.get("ServerVersion"):
        engine = Engine(
            version=data["ServerVersion"],
            root=Path(data.get("DockerRootDir", "/var/lib/docker")),
            cgroups=f"v{data.get('CgroupVersion') or 1}, {data.get('CgroupDriver', '?')}",
            storage=data.get("Driver", ""),
        )
        return Asked(Answer.RUNS, engine)
    said = " ".join(data.get("ServerErrors") or [text.strip()])
    denied = "permission denied" in said.lower()
    return Asked(Answer.DENIED if denied else Answer.NONE, said=said)


def ask_engine() -> Asked:
    """Ask the engine that the client would use; no client is the same as no engine."""
    try:
        found = process.run(
            ["docker", "info", "--format", "{{json .}}"], check=False, timeout=ASK_SECONDS
        )
    except process.ProcessError as error:
        return Asked(Answer.NONE, said=error.message)
    asked = parse_info(found.output)
    if asked.answer is Answer.NONE and found.errors:
        return parse_info(found.errors)
    return asked


def ensure_engine(progress: Progress) -> Engine:
    """An engine that answers; it is started where none does.

    Tried in turn: systemd, the init script, `dockerd` itself.  Errors: LabError with the
    engine's last lines and its log.
    """
    asked = ask_engine()
    if asked.engine is not None:
        return asked.engine
    _refuse_unreachable(asked)
    with _starting():
        # Another labctl may have started it while this one waited.
        asked = ask_engine()
        return asked.engine or _start(progress=progress)


def find_problem() -> str | None:
    """Why no engine can be had here, not even by installing or starting one; None when one can."""
    asked = ask_engine()
    if asked.engine is not None:
        return None
    if asked.answer is Answer.NONE and not os.environ.get("DOCKER_HOST"):
        if find_privilege() is Privilege.NONE:
            return "no Docker engine answers, and starting one needs root"
        if find_program("dockerd") is None and find_program("apt-get") is not None:
            return None  # can be installed
    try:
        _refuse_unreachable(asked)
    except LabError as error:
        return error.message
    return None


def stop_engine() -> bool:
    """Stop the engine if labctl started it; whether it did.  Errors: LabError if it stays."""
    started = load_marker()
    if started is None or process.start_ticks(started.pid) != started.ticks:
        marker_file().unlink(missing_ok=True)
        return False
    commands: dict[str, list[str | Path]] = {
        "systemd": ["systemctl", "stop", "docker.socket", "docker.service"],
        "init script": [INIT_SCRIPT, "stop"],
    }
    # The program "kill" is not on every machine; every shell has it built in.
    command = commands.get(started.how, ["sh", "-c", f"kill -TERM {started.pid}"])
    run_as_root(command, what="Stopping the Docker engine", timeout=STOP_SECONDS, check=False)
    deadline = Deadline.after(STOP_SECONDS)
    gone = wait_until(
        lambda: process.start_ticks(started.pid) != started.ticks, deadline=deadline, interval=0.1
    )
    if not gone:
        raise LabError(
            f"The Docker engine (process {started.pid}) did not stop within {STOP_SECONDS:.0f} s.",
            log=log_file(),
        )
    marker_file().unlink(missing_ok=True)
    return True


def load_marker() -> Started | None:
    """How labctl started the engine, if it did."""
    try:
        return Started(**json.loads(marker_file().read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _refuse_unreachable(asked: Asked) -> None:
    user = getpass.getuser()
    if asked.answer is Answer.DENIED:
        raise LabError(
            f"The Docker engine runs, but user '{user}' may not use it.",
            hint=f"Run: sudo usermod -aG docker {user} && newgrp docker"
            " (who is in that group can become root).",
        )
    if address := os.environ.get("DOCKER_HOST"):
        raise LabError(
            f"The Docker engine at '{address}' (DOCKER_HOST) does not answer: {asked.said}",
            hint="Start it, or unset DOCKER_HOST to use this machine's own.",
        )
    if find_program("dockerd") is None:
        raise LabError(
            f"No Docker engine answers, and this machine has none to start: {asked.said}",
            hint="Run 'labctl doctor --fix', or as root: apt-get install docker.io",
        )


@contextmanager
def _starting() -> Iterator[None]:
    path = state_dir() / "engine.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _start(*, progress: Progress) -> Engine:
    for how, start in ways():
        progress("host", f"no Docker engine answers; starting it ({how}) ...")
        if (engine := _wait(start())) is not None:
            _mark(how)
            progress("host", f"the Docker engine {engine.version} runs.")
            return engine
    tail = _tail(log_file())
    raise LabError(
        f"The Docker engine did not start; the last that it said:{tail}",
        hint="'labctl doctor' says what else is missing.",
        log=log_file(),
    )


def _wait(attempt: Attempt) -> Engine | None:
    engine: Engine | None = None

    def check() -> bool:
        nonlocal engine
        ended = attempt.failed
        engine = ask_engine().engine
        return ended or engine is not None

    wait_until(check, deadline=attempt.deadline, interval=ASK_INTERVAL)
    return engine


def _mark(how: str) -> None:
    try:
        pid = int(PID_FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    ticks = process.start_ticks(pid)
    if ticks is not None:
        write_json(marker_file(), asdict(Started(how, pid, ticks)))


def _tail(path: Path, *, lines: int = 8) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return " nothing."
    return "".join(f"\n    {line}" for line in text.strip().splitlines()[-lines:])
