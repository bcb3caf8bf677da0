"""A crowd that has left, as reports and programs are told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, read_document
from labctl.crowd.figures import Figures
from labctl.crowd.media.figures import KINDS


@dataclass(frozen=True, slots=True)
class CrowdRecord:
    """What was asked (`hold` in seconds, `rate` a second), and the figures that came of it.

    The visitors were spread over `processes` on each machine.  `machines` has how many came from
    each, by its name; it is empty if all came from the one that runs labctl.  `with_media` is how
    many were to have media; None where nobody was.
    """

    lab: str = ""
    room: str = ""
    interrupted: bool = False
    participants: int = 0
    visitors: int = 0
    hold: float = 0.0
    rate: float = 0.0
    processes: int = 1
    machines: Mapping[str, int] = field(default_factory=dict)
    with_media: int | None = None
    figures: Figures = field(default_factory=Figures)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `labctl crowd --json` prints it: the figures beside what was asked."""
        plain = to_plain(self)
        del plain["figures"]
        if self.with_media is None:
            del plain["with_media"]
        return {"format": CROWD.format, **plain, **self.figures.to_json()}

    @classmethod
    def from_json(cls, data: object) -> CrowdRecord:
        """The record that `to_json` wrote.  Errors: StateError."""
        return read_document(data, CROWD, name="crowd")


def _parse(data: Mapping[str, Any]) -> CrowdRecord:
    media = data.get("media")
    figures = data if media is None else {**data, "media": _media(media)}
    return from_plain(CrowdRecord, {**data, "figures": figures})


def _media(data: Mapping[str, Any]) -> dict[str, Any]:
    """Kinds of media stand beside the other figures."""
    kinds = {kind: data[kind] for kind in KINDS if kind in data}
    return {**data, "kinds": {kind: {**it, "gap": it["longest_gap"]} for kind, it in kinds.items()}}


CROWD: StateKind[CrowdRecord] = StateKind(format=1, parse=_parse)
