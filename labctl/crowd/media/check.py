"""One candidate of a bridge under check, and the ways that datagrams take."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from labctl.crowd.media.offer import Candidate
from labctl.crowd.media.problem import MediaStage, Reach

SILENT = "no check was answered"

Address = tuple[str, int]


class Path(Protocol):
    """A way for datagrams: a socket of ours, or one on a relay."""

    def send(self, datagram: bytes, to: Address) -> None:
        """OSError where this machine refuses."""

    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class Check:
    """A candidate, and what became of its checks."""

    candidate: Candidate
    path: Path | None
    stage: MediaStage | None = MediaStage.NO_ANSWER
    detail: str = SILENT
    seconds: float | None = None
    nominated: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def address(self) -> Address:
        return (self.candidate.address, self.candidate.port)

    def reach(self, *, chosen: bool) -> Reach:
        """How it stands now, as a value."""
        one = self.candidate
        return Reach(
            one.address,
            one.port,
            one.protocol,
            one.kind,
            self.stage,
            self.detail,
            self.seconds,
            chosen=chosen,
        )


def why_not(candidate: Candidate) -> str:
    """Why a candidate is not even asked."""
    if candidate.protocol != "udp":
        return f"'{candidate.protocol}' is not a transport that participants speak, only UDP"
    if candidate.version is None:
        return "a name, and participants ask no name server"
    return f"this machine has no socket for IPv{candidate.version}"


def refused(error: OSError) -> str:
    """What it means that this machine does not send."""
    words = error.strerror or str(error)
    if isinstance(error, PermissionError):
        return f"this machine's own firewall drops what is sent there ({words})"
    return f"this machine cannot send there ({words})"
