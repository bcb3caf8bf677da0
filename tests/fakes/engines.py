"""Docker engines of several machines that only pretend, and remember what they were asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from labctl.core.process import ProcessError, Result
from labctl.providers.docker import command, containers, parcel, swarm
from labctl.topology.hosts import HERE, host_name


def info(**changes: Any) -> str:
    """What `docker info` says of a manager of a swarm with 4 CPUs and 8 GiB."""
    member = {"NodeID": "here", "LocalNodeState": "active", "ControlAvailable": True}
    data = {
        "ServerVersion": "28.2.2",
        "Architecture": "x86_64",
        "NCPU": 4,
        "MemTotal": 8 * 1024**3,
        "Swarm": member,
    }
    return json.dumps(data | changes)


def worker(node: str) -> dict[str, Any]:
    """What an engine says of its place in a swarm that another manages."""
    return {"NodeID": node, "LocalNodeState": "active", "ControlAvailable": False}


@dataclass
class FakeEngines:
    """Answers by machine and by the first words of a command; else nothing, with status 0.

    `asked` has 'MACHINE: docker ...' of each command.  A `lost` machine fails every command.
    """

    answers: dict[tuple[str, str], str] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def says(self, host: str, words: str, answer: str) -> None:
        self.answers[host, words] = answer

    def of(self, words: str) -> list[str]:
        """The commands that contain these words, in order."""
        return [line for line in self.asked if words in line]

    def run(
        self,
        argv: Sequence[object],
        *,
        env: Mapping[str, str] | None = None,
        check: bool = True,
        **_: object,
    ) -> Result:
        host = host_name((env or {}).get("DOCKER_HOST", HERE))
        line = " ".join(map(str, argv))
        with self._lock:
            self.asked.append(f"{host}: {line}")
        if host in self.lost:
            errors = f"ssh: connect to host {host} port 22: No route to host"
            if check:
                raise ProcessError(errors)
            return Result(tuple(map(str, argv)), 1, "", errors)
        found = [
            (words, answer)
            for (at, words), answer in self.answers.items()
            if at == host and f"docker {words}" in line
        ]
        # The longest match says most.
        return Result(
            tuple(map(str, argv)), 0, max(found, key=lambda it: len(it[0]))[1] if found else ""
        )


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> FakeEngines:
    """Instead of `docker`, in every module that starts it."""
    fake = FakeEngines()
    for module in (command, containers, parcel, swarm):
        monkeypatch.setattr(module, "run", fake.run)
    return fake
