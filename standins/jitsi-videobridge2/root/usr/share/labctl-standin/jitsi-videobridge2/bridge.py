"""The bridge as a whole: its state, its statistics, its health and how it shuts down."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from colibri2 import Colibri2, Transport
from ice import read_addresses
from jitsilog import Journal
from jvbconfig import JvbConfig
from media import TICK, Media

VERSION = "2.3.0-standin1"
DURATION = {60.0: "PT1M", 86400.0: "PT24H"}


class State(StrEnum):
    """Upstream's shutdown states."""

    RUNNING = "RUNNING"
    GRACEFUL_SHUTDOWN = "GRACEFUL_SHUTDOWN"
    SHUTTING_DOWN = "SHUTTING_DOWN"


@dataclass(frozen=True, slots=True)
class HealthResult:
    """What the last health check found."""

    success: bool = True
    hard: bool = True
    message: str = ""


def valid_address(address: str) -> bool:
    """Whether the original counts an address: not site- or link-local, not loopback."""
    ip = ipaddress.ip_address(address)
    if ip.is_loopback or ip.is_link_local:
        return False
    private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    return not (ip.version == 4 and any(ip in ipaddress.ip_network(net) for net in private))


class CpuMeter:
    """The machine's CPU load since the last call, divided by 0.9: the original's stress."""

    def __init__(self) -> None:
        self._last = self._read()

    @staticmethod
    def _read() -> tuple[int, int]:
        fields = [int(part) for part in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    def stress(self) -> float:
        """Load over the time since the last call, 1.0 = 90 % busy."""
        total, idle = self._read()
        spent, rested = total - self._last[0], idle - self._last[1]
        self._last = (total, idle)
        return (1 - rested / spent) / 0.9 if spent > 0 else 0.0


def render_duration(seconds: float) -> str:
    """A duration as Java prints it."""
    return DURATION.get(seconds, f"PT{seconds:g}S")


class Bridge:
    """State shared by XMPP, REST and the timers."""

    def __init__(self, config: JvbConfig, journal: Journal) -> None:
        self.config = config
        self.journal = journal
        self.media = Media(journal, last_n=config.last_n)
        self.media.on_change = self.maybe_finish
        self.addresses = tuple(read_addresses())
        self.colibri = Colibri2(
            self.media,
            Transport(
                addresses=tuple(
                    one for one in self.addresses if config.advertise_private or valid_address(one)
                ),
                mapped=config.mappings,
                port=config.udp_port,
                sctp=config.sctp,
                websockets=config.websockets,
            ),
        )
        self.state = State.RUNNING
        self.drain = config.initial_drain
        self.health = HealthResult()
        self.udp_bound = False
        self.stress = 0.0
        self.exit_code: int | None = None
        self.stopped = asyncio.Event()
        self.on_state: Callable[[], None] = lambda: None
        self._meter = CpuMeter()
        self._finishing = False

    # -- statistics ----------------------------------------------------------------------------

    def statistics(self) -> dict[str, str]:
        """The stats of the MUC presence, as text (docs/facts/videobridge.md, 10)."""
        return {key: _text(value) for key, value in self.numbers().items()}

    def numbers(self) -> dict[str, object]:
        """`/colibri/stats`, as far as a stand-in knows it; bit rates in kbit/s."""
        totals = self.media.totals
        conferences = list(self.media.conferences.values())
        transports = [ep.transport for one in conferences for ep in one.endpoints.values()]
        stats: dict[str, object] = {
            "stress_level": round(self.stress, 4),
            "average_participant_stress": 0.01,
            "conferences": len(conferences),
            "endpoints": self.media.endpoint_count,
            "participants": self.media.endpoint_count,
            "local_endpoints": self.media.endpoint_count,
            "visitors": sum(ep.visitor for one in conferences for ep in one.endpoints.values()),
            "octo_conferences": sum(bool(one.relays) for one in conferences),
            "octo_endpoints": sum(
                len(r.endpoints) for one in conferences for r in one.relays.values()
            ),
            "largest_conference": max((len(one.endpoints) for one in conferences), default=0),
            "total_conferences_created": totals.created,
            "total_conferences_completed": totals.completed,
            "total_participants": totals.participants,
            "total_visitors": totals.visitors,
            "total_ice_succeeded": totals.ice_succeeded,
            "total_ice_failed": totals.ice_failed,
            "bit_rate_download": int(sum(one.received.bit_rate for one in transports) / 1000),
            "bit_rate_upload": int(sum(one.sent.bit_rate for one in transports) / 1000),
            "packet_rate_download": int(sum(one.received.packet_rate for one in transports)),
            "packet_rate_upload": int(sum(one.sent.packet_rate for one in transports)),
            "threads": 1,
            "healthy": self.health.success,
            "drain": self.drain,
            "graceful_shutdown": self.state is not State.RUNNING,
            "shutting_down": self.state is State.SHUTTING_DOWN,
            "current_timestamp": time.strftime("%Y-%m-%d %H:%M:%S.000", time.gmtime()),
            "version": VERSION,
        }
        if self.config.region:
            stats["region"] = self.config.region
        if self.config.relay_id:
            stats["relay_id"] = self.config.relay_id
        return stats

    def measure(self) -> None:
        """Refresh the stress; called once per presence interval."""
        self.stress = max(0.0, self._meter.stress())

    # -- health --------------------------------------------------------------------------------

    async def check_health_forever(self) -> None:
        """Check after each interval; the first time one interval after the start."""
        while True:
            await asyncio.sleep(self.config.health.interval)
            self.check_health()

    def check_health(self) -> None:
        """One health check; a sticky failure stays."""
        if self.config.health.sticky and not self.health.success:
            return
        message = ""
        if self.config.health.require_valid_address and not any(
            valid_address(address) for address in self.addresses + self.config.mappings
        ):
            message = "No valid IP addresses available for harvesting."
        elif not self.udp_bound:
            message = "Failed to bind single-port"
        was = self.health.success
        self.health = HealthResult(not message, True, message)
        journal = self.journal.child(thread=24)
        if message:
            journal.severe(
                "HealthChecker.run#181",
                f"Health check failed in PT0.000S: Result(success=false, hardFailure=true, "
                f"responseCode=null, sticky=false, message={message})",
            )
        elif not was:
            journal.info(
                "HealthChecker.run#175", "Performed a successful health check in PT0.000S."
            )

    # -- expiry --------------------------------------------------------------------------------

    async def expire_forever(self) -> None:
        """What the original's expire thread does, every check interval."""
        while True:
            await asyncio.sleep(min(self.config.expire_interval, 60.0))
            self.media.expire_old(self.config.entity_timeout)

    async def tick_forever(self) -> None:
        """What media needs done by the clock."""
        while True:
            await asyncio.sleep(TICK)
            self.media.tick()

    # -- drain and shutdown --------------------------------------------------------------------

    def set_drain(self, enable: bool) -> None:
        """Drain mode on or off; Jicofo learns of it with the next presence."""
        self.journal.info(
            "Videobridge.setDrainMode#433", f"Received drain request. enable={str(enable).lower()}"
        )
        self.drain = enable
        self.on_state()

    def shut_down(self, *, graceful: bool) -> None:
        """Begin a shutdown (docs/facts/videobridge.md, 7)."""
        self.journal.info(
            "ShutdownManager.initiateShutdown#58",
            f"Received shutdown request, graceful={str(graceful).lower()}",
        )
        if graceful and self.state is State.RUNNING:
            self.state = State.GRACEFUL_SHUTDOWN
            self.colibri.refuse_new = True
            limit = self.config.graceful_max
            self.journal.info(
                "ShutdownManager.enterGraceful#77",
                "Entered graceful shutdown mode, will stay in this mode for up to "
                + render_duration(limit),
            )
            asyncio.get_running_loop().call_later(limit, self._begin_shutting_down)
            self.on_state()
            self.maybe_finish()
        elif not graceful:
            self._begin_shutting_down()

    def maybe_finish(self) -> None:
        """Leave graceful mode when few enough participants are left."""
        few = self.media.endpoint_count <= self.config.graceful_min_participants
        if self.state is State.GRACEFUL_SHUTDOWN and few:
            self._begin_shutting_down()

    def _begin_shutting_down(self) -> None:
        if self._finishing:
            return
        self._finishing = True
        self.state = State.SHUTTING_DOWN
        self.colibri.refuse_new = True
        count, delay = self.media.endpoint_count, self.config.shutdown_delay
        where = "ShutdownManager.enterShuttingDown#95"
        self.journal.info(where, f"Entering SHUTTING_DOWN with {count} participants.")
        self.journal.info(where, f"Will shut down in {render_duration(delay)}")
        self.on_state()
        asyncio.get_running_loop().call_later(delay, self._exit_now)

    def _exit_now(self) -> None:
        self.journal.info("ShutdownManager.doShutdown#120", "Videobridge is shutting down NOW")
        self.exit_code = 0
        self.stopped.set()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
