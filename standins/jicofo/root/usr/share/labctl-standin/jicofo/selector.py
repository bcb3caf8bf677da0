"""All bridges of the brewery: coming, going, and choosing one (docs/facts/jicofo.md, 1 to 3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridges import Bridge, Properties, filter_candidates
from jicofoconfig import BridgeSettings
from jitsilog import Journal
from strategies import STRATEGIES, Conference, select_single


@dataclass(slots=True)
class BridgeEvents:
    """Who is told when a bridge comes, leaves, fails a health check or shuts down."""

    added: list[Callable[[Bridge], None]]
    removed: list[Callable[[Bridge], None]]
    failed: list[Callable[[Bridge], None]]
    shutting_down: list[Callable[[Bridge], None]]


class BridgeSelector:
    """The bridges by occupant JID."""

    def __init__(self, settings: BridgeSettings, journal: Journal) -> None:
        self.settings = settings
        self.journal = journal
        self.bridges: dict[str, Bridge] = {}
        self.lost = 0
        self.events = BridgeEvents([], [], [], [])
        name = settings.selection.rpartition(".")[2]
        self.strategy_name = name if name in STRATEGIES else "SingleBridgeSelectionStrategy"
        self._strategy = STRATEGIES.get(name, select_single)
        journal.info(
            "BridgeSelector.<init>#56", f"Using org.jitsi.jicofo.bridge.{self.strategy_name}"
        )
        if not settings.octo and name == "RegionBasedBridgeSelectionStrategy":
            journal.warning(
                "BridgeSelector.<init>#60",
                "Octo is disabled, but the selection strategy is RegionBased. Enable octo in "
                "jicofo.conf to allow use of multiple bridges in a conference.",
            )

    def presence(self, jid: str, stats: Mapping[str, str]) -> None:
        """A bridge's statistics; the first ones make it known."""
        bridge = self.bridges.get(jid)
        if bridge is None:
            bridge = Bridge(jid, self.settings)
            bridge.update(stats)
            self.bridges[jid] = bridge
            self.journal.info("BridgeSelector.addJvbAddress#99", f"Added new videobridge: {bridge}")
            for tell in self.events.added:
                tell(bridge)
        elif bridge.update(stats):
            self.journal.info("BridgeSelector.addJvbAddress#91", f"{jid} entered SHUTTING_DOWN")
            for tell in self.events.shutting_down:
                tell(bridge)

    def remove(self, jid: str) -> None:
        """The bridge left the brewery."""
        self.journal.info("BridgeSelector.removeJvbAddress#112", f"Removing JVB: {jid}")
        bridge = self.bridges.pop(jid, None)
        if bridge is None:
            return
        if not bridge.graceful and not bridge.shutting_down:
            self.lost += 1
            self.journal.warning("BridgeSelector.removeJvbAddress#115", f"Lost a bridge: {jid}")
        bridge.set_operational(False)
        for tell in self.events.removed:
            tell(bridge)

    def health_passed(self, bridge: Bridge) -> None:
        """A good health check."""
        bridge.set_operational(True)

    def health_failed(self, bridge: Bridge) -> None:
        """The bridge itself says that it is unhealthy: its conferences move."""
        bridge.set_operational(False)
        for tell in self.events.failed:
            tell(bridge)

    def health_timed_out(self, bridge: Bridge) -> None:
        """No answer twice: not used for anything new; running conferences stay."""
        bridge.set_operational(False)

    def select(
        self, conference: Conference, who: Properties, *, version: str | None, journal: Journal
    ) -> Bridge | None:
        """The bridge for a participant, or None (and the reason in the log)."""
        required = None if self.settings.allow_mixed else version
        found = filter_candidates(list(self.bridges.values()), version=required)
        if not found.bridges:
            journal.warning("BridgeSelector.selectBridge#186", found.reason)
            return None
        candidates, settings = found.bridges, self.settings
        if not conference:
            chosen = self._strategy(candidates, conference, who, settings)
            if chosen is not None:
                journal.info(
                    "BridgeSelectionStrategy.select#49",
                    f"Selected initial bridge {chosen} with reported stress={chosen.stress} "
                    f"for participantProperties={who}",
                )
            return chosen
        existing = next((self.bridges[jid] for jid in conference if jid in self.bridges), None)
        split = self.strategy_name == "SplitBridgeSelectionStrategy"
        if not split and (not settings.octo or existing is None or existing.relay_id is None):
            journal.info(
                "BridgeSelectionStrategy.select#62",
                "Existing bridge does not have a relay, will not consider other bridges.",
            )
            return next((bridge for bridge in candidates if bridge.jid in conference), None)
        chosen = self._strategy(candidates, conference, who, settings)
        if chosen is not None:
            journal.fine("BridgeSelectionStrategy.select#70", f"Selected bridge {chosen} for {who}")
        return chosen

    def stats(self) -> dict[str, int]:
        """`bridge_selector` of `/stats`."""
        bridges = list(self.bridges.values())
        return {
            "bridge_count": len(bridges),
            "operational_bridge_count": sum(bridge.operational for bridge in bridges),
            "in_shutdown_bridge_count": sum(b.graceful or b.shutting_down for b in bridges),
            "lost_bridges": self.lost,
            "bridge_version_count": len({bridge.full_version for bridge in bridges}),
        }

    def debug(self) -> dict[str, object]:
        """`bridge_selector` of `/debug`."""
        return {
            "strategy": self.strategy_name,
            "bridge": {jid: bridge.debug() for jid, bridge in self.bridges.items()},
        }
