"""Who becomes a visitor, and on which vnode: pure decisions (docs/facts/visitors.md, 3 and 4)."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from jicofoconfig import VisitorSettings


@dataclass(slots=True)
class RoomMetadata:
    """What the room_metadata component has said about a room."""

    live: bool = False
    visitors_enabled: bool | None = None
    soft_limit: int = 0
    lobby: bool = False
    moderators: tuple[str, ...] = ()
    participants: tuple[str, ...] | None = None

    def preferred_in_main(self, ids: Collection[str]) -> bool:
        """One of a user's ids is among the moderators or participants."""
        named = set(self.moderators) | set(self.participants or ())
        return any(id in named for id in ids)

    def allowed_in_main(self, ids: Collection[str]) -> bool:
        """Without a list of participants everybody is."""
        return self.participants is None or self.preferred_in_main(ids)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a conference request says about the one who asks."""

    supported: bool
    requested: bool
    ids: tuple[str, ...] = ()

    @classmethod
    def from_properties(cls, properties: Mapping[str, str], ids: tuple[str, ...] = ()) -> Asked:
        """From the request's properties."""
        return cls("visitors-version" in properties, properties.get("visitor") == "true", ids)


@dataclass(frozen=True, slots=True)
class Room:
    """What is known of the conference when somebody asks."""

    participants: int
    vnodes_in_use: bool
    breakout: bool = False
    metadata: RoomMetadata = field(default_factory=RoomMetadata)


def visitors_supported(
    manager_enabled: bool, settings: VisitorSettings, room: RoomMetadata
) -> bool:
    """The property `visitors-supported` of the answer."""
    return manager_enabled and (room.visitors_enabled is True or not settings.require_flag)


def must_redirect(
    asked: Asked, room: Room, settings: VisitorSettings, *, manager_enabled: bool
) -> bool:
    """Whether the one who asks belongs on a vnode; upstream's order of rules."""
    metadata = room.metadata
    preferred = metadata.preferred_in_main(asked.ids)
    if not asked.supported or not manager_enabled or (preferred and not asked.requested):
        return False
    if not settings.enabled or metadata.lobby or metadata.visitors_enabled is False:
        return False
    if (settings.require_flag and metadata.visitors_enabled is not True) or room.breakout:
        return False
    limit = metadata.soft_limit if metadata.soft_limit > 0 else settings.max_participants
    return (
        room.vnodes_in_use
        or asked.requested
        or not metadata.allowed_in_main(asked.ids)
        or room.participants >= limit
    )


def must_wait(asked: Asked, metadata: RoomMetadata, settings: VisitorSettings) -> bool:
    """Whether the one who asks is told `live=false` and waits in the queue."""
    if not settings.live_room or metadata.live or not asked.supported:
        return False
    return asked.requested or not metadata.allowed_in_main(asked.ids)


def choose_vnode(
    used: Mapping[str, int],
    registered: Collection[str],
    configured: Collection[str],
    *,
    max_per_node: int,
    chooser: random.Random,
) -> str | None:
    """Least-filled vnode in use, else a random registered unused one, else any at random."""
    if used:
        least = min(used, key=lambda name: used[name])
        if used[least] < max_per_node:
            return least
    fresh = sorted(name for name in registered if name not in used)
    if fresh:
        return chooser.choice(fresh)
    return chooser.choice(sorted(configured)) if configured else None
