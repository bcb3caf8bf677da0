"""Which video sources a receiver gets, and how large: its constraints and last-n; pure.

As the original does it, without its bandwidth estimation: everything that is wanted fits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from signalling import MediaSource

DEFAULT_HEIGHT = 180  # where the receiver says constraints without a default
UNLIMITED = -1


@dataclass(slots=True)
class Wishes:
    """What a receiver asked for; nothing is sent before it has."""

    last_n: int = UNLIMITED
    selected: tuple[str, ...] = ()
    on_stage: tuple[str, ...] = ()
    default_height: int = 0
    heights: dict[str, int] = field(default_factory=dict)

    def update(self, message: Mapping[str, object]) -> None:
        """Take over a ReceiverVideoConstraints; raises ValueError for one that is malformed."""
        if message.get("lastN") is not None:
            self.last_n = whole(message["lastN"])
        if message.get("selectedSources") is not None:
            self.selected = _names(message["selectedSources"])
        if message.get("onStageSources") is not None:
            self.on_stage = _names(message["onStageSources"])
        default = message.get("defaultConstraints")
        self.default_height = DEFAULT_HEIGHT if default is None else _height(default)
        constraints = message.get("constraints")
        if constraints is not None:
            if not isinstance(constraints, dict):
                raise ValueError("constraints is not an object")
            self.heights = {str(name): _height(one) for name, one in constraints.items()}

    def height(self, name: str) -> int:
        """The largest height wanted of a source, -1 for any, 0 for none."""
        return self.heights.get(name, self.default_height)


def whole(value: object) -> int:
    """A whole number of a message's; raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is not a number")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list")
    return tuple(str(item) for item in value)


def _height(value: object) -> int:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is not a constraint")
    return whole(value.get("maxHeight", UNLIMITED))


def allocate(
    wishes: Wishes, sources: Iterable[MediaSource], *, speakers: Sequence[str], limit: int
) -> dict[str, int]:
    """Height by source name, of the sources that are forwarded.

    Selected ones come first, then those on stage, then by who spoke last; `limit` is the bridge's
    own last-n.
    """
    order = {name: at for at, name in enumerate((*wishes.selected, *wishes.on_stage))}
    spoke = {id: at for at, id in enumerate(speakers)}
    wanted = [
        source for source in sources
        if source.media == "video" and source.video_type not in ("none", "disabled")
        and wishes.height(source.name) != 0
    ]  # fmt: skip
    wanted.sort(key=lambda one: (order.get(one.name, len(order)), spoke.get(one.owner, len(spoke))))
    limits = [number for number in (wishes.last_n, limit) if number >= 0]
    if limits:
        wanted = wanted[: min(limits)]
    return {source.name: wishes.height(source.name) for source in wanted}
