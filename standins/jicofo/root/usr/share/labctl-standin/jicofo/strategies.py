"""How a bridge is chosen among the candidates: upstream's selection strategies, by meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridges import Bridge, Properties
from jicofoconfig import BridgeSettings


@dataclass(frozen=True, slots=True)
class Used:
    """How much of a conference is on a bridge."""

    participants: int
    visitor: bool


Conference = Mapping[str, Used]  # by the bridge's JID
Strategy = Callable[[list[Bridge], Conference, Properties, BridgeSettings], Bridge | None]


def _loaded(bridge: Bridge, conference: Conference, settings: BridgeSettings) -> bool:
    used = conference.get(bridge.jid)
    full = settings.max_participants > 0
    return bridge.overloaded or (
        full and used is not None and used.participants >= settings.max_participants
    )


def select_single(
    candidates: list[Bridge], conference: Conference, who: Properties, settings: BridgeSettings
) -> Bridge | None:
    """The conference's own bridge; for a new one the participant's region, then least stress."""
    if conference:
        return next((bridge for bridge in candidates if bridge.jid in conference), None)
    return _first(candidates, lambda b: b.region == who.region) or _first(candidates)


def select_split(
    candidates: list[Bridge], conference: Conference, who: Properties, settings: BridgeSettings
) -> Bridge | None:
    """The bridge with the fewest participants of this conference."""
    none = Used(0, visitor=False)
    return min(candidates, key=lambda b: conference.get(b.jid, none).participants, default=None)


def _region_rules(
    conference: Conference, who: Properties, settings: BridgeSettings, *, beyond: bool
) -> list[Callable[[Bridge], bool]]:
    groups = [group for group in settings.region_groups if who.region in group]

    def free(bridge: Bridge) -> bool:
        return not _loaded(bridge, conference, settings)

    def here(bridge: Bridge) -> bool:
        return who.region is not None and bridge.region == who.region

    def near(bridge: Bridge) -> bool:
        return any(bridge.region in group for group in groups)

    def inside(bridge: Bridge) -> bool:
        return bridge.jid in conference

    rules: list[Callable[[Bridge], bool]] = []
    for place in (here, near, lambda b: beyond):
        rules.append(lambda b, at=place: free(b) and at(b) and inside(b))  # type: ignore[misc]
        rules.append(lambda b, at=place: free(b) and at(b))  # type: ignore[misc]
    for place in (here, near, lambda b: True):
        rules.append(lambda b, at=place: at(b) and inside(b))  # type: ignore[misc]
        rules.append(lambda b, at=place: at(b))  # type: ignore[misc]
    return rules


def select_region(
    candidates: list[Bridge], conference: Conference, who: Properties, settings: BridgeSettings
) -> Bridge | None:
    """Region, region group, anywhere: not loaded before loaded, in the conference before not."""
    return _by_rules(candidates, _region_rules(conference, who, settings, beyond=True))


def select_intra_region(
    candidates: list[Bridge], conference: Conference, who: Properties, settings: BridgeSettings
) -> Bridge | None:
    """As `select_region`, but a conference does not leave its first region."""
    if not conference:
        return select_region(candidates, conference, who, settings)
    regions = {bridge.region for bridge in candidates if bridge.jid in conference}
    same = [bridge for bridge in candidates if bridge.region in regions]
    return select_region(same or candidates, conference, who, settings)


def select_visitor(
    candidates: list[Bridge], conference: Conference, who: Properties, settings: BridgeSettings
) -> Bridge | None:
    """Visitors and participants on bridges of their own, each by a strategy of its own."""
    mine = {jid: used for jid, used in conference.items() if used.visitor == who.visitor}
    others = {jid for jid, used in conference.items() if used.visitor != who.visitor}
    name = settings.visitor_selection if who.visitor else settings.participant_selection
    strategy = STRATEGIES.get(name.rpartition(".")[2], select_region)
    apart = [bridge for bridge in candidates if bridge.jid not in others]
    chosen = strategy(apart, mine, who, settings)
    if chosen is not None and not _loaded(chosen, mine, settings):
        return chosen
    return strategy(candidates, conference, who, settings) or chosen


STRATEGIES: dict[str, Strategy] = {
    "SingleBridgeSelectionStrategy": select_single,
    "SplitBridgeSelectionStrategy": select_split,
    "RegionBasedBridgeSelectionStrategy": select_region,
    "IntraRegionBridgeSelectionStrategy": select_intra_region,
    "VisitorSelectionStrategy": select_visitor,
}


def _first(
    candidates: list[Bridge], wanted: Callable[[Bridge], bool] = lambda bridge: True
) -> Bridge | None:
    return next((bridge for bridge in candidates if wanted(bridge)), None)


def _by_rules(candidates: list[Bridge], rules: list[Callable[[Bridge], bool]]) -> Bridge | None:
    for rule in rules:
        chosen = _first(candidates, rule)
        if chosen is not None:
            return chosen
    return None
