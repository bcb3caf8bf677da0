"""The result of a blip, as programs read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, read_document

Percentiles = Mapping[str, float | None]
"""Seconds by `p50`, `p90`, `p95` and `max`; None if nobody was interrupted."""


@dataclass(frozen=True, slots=True)
class LossRecord:
    """One bridge's loss: of how many participants which `share` (0-1) was interrupted."""

    bridge: str
    participants: int
    interrupted: int
    share: float
    gone: int
    seconds: Percentiles
    bridge_back_after: float
    listening: int = 0
    """Participants with sound; of these `mute` never heard the others again, and for the others
    `sound_paused` has the longest pause."""
    mute: int = 0
    sound_paused: Percentiles = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlipRecord:
    """All losses, one after another, and how the lab is afterwards."""

    fault: str
    participants: int
    calls: int
    good: bool
    losses: tuple[LossRecord, ...] = ()
    seconds: Percentiles = field(default_factory=dict)
    sound_paused: Percentiles = field(default_factory=dict)
    healthy_after: float | None = None
    repaired: str = ""
    left: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `labctl blip --json` prints it."""
        return {"format": BLIP.format, **to_plain(self)}

    @classmethod
    def from_json(cls, data: object) -> BlipRecord:
        """The record that `to_json` wrote.  Errors: StateError."""
        return read_document(data, BLIP, name="blip")


BLIP: StateKind[BlipRecord] = StateKind(format=1, parse=partial(from_plain, BlipRecord))
