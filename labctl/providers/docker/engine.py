"""The Docker engine: whether one answers, and starting one if none does."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.pids import start_ticks
from labctl.core.plain import from_plain, to_plain
from labctl.core.privilege import Privilege, find_privilege, find_program, run_as_root
from labctl.core.progress import Progress
from labctl.core.state import StateError, StateKind, load_state, save_state
from labctl.core.user import user_name
from labctl.core.waiting import Deadline, wait_until
from labctl.images.proxies import hide_from_containers
from labctl.providers.docker.dockerd import INIT_SCRIPT, PID_FILE, Attempt, log_file, ways
from labctl.providers.docker.kind import EngineKind, find_endpoint, kind_of, refuse_kind
from labctl.providers.docker.sharing import refuse_files
from labctl.topology.workdir import state_dir

STOP_SECONDS = 60.0
ASK_INTERVAL = 0.25
ASK_SECONDS = 30.0


class EngineAnswer(StrEnum):
    """The result of asking the engine."""

    RUNS = "runs"
    DENIED = "denied"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers: its version, data folder and cgroups."""

    version: str
    root: Path
    cgroups: str
    storage: str
    kind: EngineKind = EngineKind.DOCKER


@dataclass(frozen=True, slots=True)
class Asked:
    """The engine if it answered, else the client's message."""

    answer: EngineAnswer
    engine: Engine | None = None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """How labctl started the engine: with which manager, and its process.

    `ticks` is the process's start time, to distinguish it from a later process with its number.
    """

    how: str
    pid: int
    ticks: int


STARTED: StateKind[Started] = StateKind(
    format=1,
    parse=partial(from_plain, Started),
    remedy="Remove the file; the engine then runs until you stop it yourself.",
)


def marker_file() -> Path:
    """The file that records that labctl started the engine."""
    return state_dir() / "engine.json"


def parse_info(text: str) -> Asked:
    """The answer of `docker info --format '{{json .}}'`, which exits 0 even without an engine."""
    start = text.find("{")
    try:
        data: dict[str, Any] = json.loads(text[start:]) if start >= 0 else {}
    except ValueError:
        data = {}
    kind = kind_of(data)
    version = data.get("ServerVersion") or (kind is EngineKind.PODMAN and _podman_version(data))
    if version:
        engine = Engine(
            version=version,
            root=Path(data.get("DockerRootDir", "/var/lib/docker")),
            cgroups=f"v{data.get('CgroupVersion') or 1}, {data.get('CgroupDriver', '?')}",
            storage=data.get("Driver", ""),
            kind=kind,
        )
        return Asked(EngineAnswer.RUNS, engine)
    said = " ".join(data.get("ServerErrors") or [text.strip()])
    denied = "permission denied" in said.lower()
    return Asked(EngineAnswer.DENIED if denied else EngineAnswer.NONE, said=said)


def _podman_version(data: Mapping[str, Any]) -> str:
    return str(data.get("version", {}).get("Version", "podman"))


def ask_engine() -> Asked:
    """Ask the engine that the client would use; without a client, there is no engine."""
    try:
        found = process.run(
            ["docker", "info", "--format", "{{json .}}"], check=False, timeout=ASK_SECONDS
        )
    except process.ProcessError as error:
        return Asked(EngineAnswer.NONE, said=error.message)
    asked = parse_info(found.output)
    if asked.answer is EngineAnswer.NONE and found.errors:
        return parse_info(found.errors)
    return asked


def ensure_engine(progress: Progress) -> Engine:
    """An engine that answers and can run a lab; one is started if none answers.

    Tried in turn: systemd, the init script, `dockerd` itself.  Errors: LabError with the
    engine's last lines and its log, or with why no lab can run on the engine that answers.
    """
    hide_from_containers(state_dir() / "docker-client")
    asked = ask_engine()
    if asked.engine is not None:
        endpoint = find_endpoint()
        if refused := refuse_kind(asked.engine.kind, endpoint) or refuse_files(endpoint):
            raise refused
        return asked.engine
    _refuse_unreachable(asked)
    with _starting():
        # Another labctl may have started it while we waited.
        asked = ask_engine()
        return asked.engine or _start(progress=progress)


def find_problem() -> str | None:
    """Why no engine can be used here, even after installing or starting one; None if one can."""
    asked = ask_engine()
    if asked.engine is not None:
        refused = refuse_kind(asked.engine.kind, find_endpoint())
        return refused.message if refused is not None else None
    if asked.answer is EngineAnswer.NONE and not os.environ.get("DOCKER_HOST"):
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
    """Stop the engine if labctl started it; true if it did.  Errors: LabError if it stays up."""
    started = load_marker()
    if started is None or start_ticks(started.pid) != started.ticks:
        marker_file().unlink(missing_ok=True)
        return False
    commands: dict[str, list[str | Path]] = {
        "systemd": ["systemctl", "stop", "docker.socket", "docker.service"],
        "init script": [INIT_SCRIPT, "stop"],
    }
    # Not every machine has a program "kill", but every shell has it built in.
    command = commands.get(started.how, ["sh", "-c", f"kill -TERM {started.pid}"])
    run_as_root(command, what="Stopping the Docker engine", timeout=STOP_SECONDS, check=False)
    deadline = Deadline.after(STOP_SECONDS)
    gone = wait_until(
        lambda: start_ticks(started.pid) != started.ticks, deadline=deadline, interval=0.1
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
        return load_state(marker_file(), STARTED)
    except StateError:
        # If it is not known who started an engine, labctl must not stop it.
        return None


def _refuse_unreachable(asked: Asked) -> None:
    user = user_name()
    if asked.answer is EngineAnswer.DENIED:
        raise LabError(
            f"The Docker engine runs, but user '{user}' may not use it.",
            hint=f"Run: sudo usermod -aG docker {user} && newgrp docker"
            " (members of that group can become root).",
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
        f"The Docker engine did not start; its last output:{tail}",
        hint="Run 'labctl doctor' to see what else is missing.",
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
    ticks = start_ticks(pid)
    if ticks is not None:
        save_state(marker_file(), STARTED, to_plain(Started(how, pid, ticks)))


def _tail(path: Path, *, lines: int = 8) -> str:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return " nothing."
    return "".join(f"\n    {line}" for line in text.strip().splitlines()[-lines:])
