"""A bridge as Jicofo knows it, and which candidates there are (docs/facts/jicofo.md, 1 and 2)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jicofoconfig import BridgeSettings
from stanzas import resource


@dataclass(frozen=True, slots=True)
class Properties:
    """What selection knows about a participant."""

    region: str | None = None
    visitor: bool = False

    def __str__(self) -> str:
        region = self.region or "null"
        return f"ParticipantProperties(region={region}, visitor={str(self.visitor).lower()})"


@dataclass(slots=True)
class Bridge:
    """State of one bridge.  `clock` gives monotonic seconds."""

    jid: str
    settings: BridgeSettings
    clock: Callable[[], float] = time.monotonic
    version: str | None = None
    release: str | None = None
    region: str | None = None
    relay_id: str | None = None
    stress: float = 0.0
    participant_stress: float | None = None
    draining: bool = True  # upstream assumes so until the statistics say otherwise
    graceful: bool = False
    shutting_down: bool = False
    healthy: bool = True
    restart_requests: int = 0
    endpoints: int = 0
    _operational: bool = True
    _failed_at: float | None = None
    _added: deque[float] = field(default_factory=deque)

    @property
    def nick(self) -> str:
        """The name people know it by."""
        return resource(self.jid)

    @property
    def full_version(self) -> str | None:
        """Version, with the release where there is one."""
        return f"{self.version}-{self.release}" if self.version and self.release else self.version

    @property
    def operational(self) -> bool:
        """Good at the last check, and no failure within the reset threshold (1 minute)."""
        failed = self._failed_at
        if failed is not None and self.clock() - failed < self.settings.failure_reset:
            return False
        return self._operational

    def set_operational(self, good: bool) -> None:
        """The outcome of a check or of an allocation."""
        self._operational = good
        if not good:
            self._failed_at = self.clock()

    def endpoint_added(self) -> None:
        """Count towards the ramp-up term of the stress."""
        self.endpoints += 1
        self._added.append(self.clock())

    def endpoint_removed(self) -> None:
        """An endpoint of ours left this bridge."""
        self.endpoints = max(0, self.endpoints - 1)

    @property
    def corrected_stress(self) -> float:
        """Reported stress and what the endpoints of the last 20 s will add to it."""
        while self._added and self.clock() - self._added[0] > self.settings.rampup:
            self._added.popleft()
        each = self.participant_stress
        if each is None:
            each = self.settings.participant_stress
        return self.stress + len(self._added) * each

    @property
    def overloaded(self) -> bool:
        """Stressed beyond the threshold."""
        return self.corrected_stress >= self.settings.stress_threshold

    def update(self, stats: Mapping[str, str]) -> bool:
        """Take over a presence's statistics; true when it just began to shut down."""
        self.stress = _number(stats.get("stress_level"), self.stress)
        if "average_participant_stress" in stats:
            self.participant_stress = _number(stats["average_participant_stress"], 0.01)
        self.graceful = self.graceful or stats.get("graceful_shutdown") == "true"
        if "drain" in stats:
            self.draining = stats["drain"] == "true"
        self.version = stats.get("version", self.version)
        self.release = stats.get("release", self.release) or None
        self.region = stats.get("region", self.region)
        self.relay_id = stats.get("relay_id", self.relay_id)
        self.healthy = stats.get("healthy", "true") == "true"
        began = not self.shutting_down and stats.get("shutting_down") == "true"
        self.shutting_down = self.shutting_down or began
        return began

    def __str__(self) -> str:
        return (
            f"Bridge[jid={self.jid}, version={self.full_version or 'null'}, "
            f"relayId={self.relay_id or 'null'}, region={self.region or 'null'}, "
            f"correctedStress={self.corrected_stress:.2f}]"
        )

    def debug(self) -> dict[str, object]:
        """The bridge's entry of `/debug`."""
        return {
            "corrected-stress": round(self.corrected_stress, 4),
            "drain": self.draining,
            "endpoints": self.endpoints,
            "endpoint-restart-requests": self.restart_requests,
            "failing-ice": False,
            "graceful-shutdown": self.graceful,
            "healthy": self.healthy,
            "operational": self.operational,
            "overloaded": self.overloaded,
            "region": str(self.region or "null"),
            "relay-id": str(self.relay_id or "null"),
            "release": str(self.release or "null"),
            "shutting-down": self.shutting_down,
            "stress": self.stress,
            "version": str(self.version or "null"),
        }


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text is not None else default
    except ValueError:
        return default


@dataclass(frozen=True, slots=True)
class Candidates:
    """The bridges that may be chosen, best first; `reason` says why there are none."""

    bridges: list[Bridge]
    reason: str = ""


def filter_candidates(bridges: list[Bridge], *, version: str | None) -> Candidates:
    """The filters in upstream's order; `version` is the one a conference already uses."""
    left = [bridge for bridge in bridges if bridge.operational]
    if not left:
        return Candidates([], "There are no operational bridges.")
    left = [bridge for bridge in left if not bridge.shutting_down]
    if not left:
        return Candidates([], "All operational bridges are SHUTTING_DOWN")
    if version is not None:
        left = [bridge for bridge in left if bridge.full_version == version]
        if not left:
            return Candidates([], f"There are no bridges with the required version: {version}")
    left = [bridge for bridge in left if not bridge.draining] or left
    left = [bridge for bridge in left if not bridge.graceful] or left
    return Candidates(sorted(left, key=lambda bridge: bridge.corrected_stress))
