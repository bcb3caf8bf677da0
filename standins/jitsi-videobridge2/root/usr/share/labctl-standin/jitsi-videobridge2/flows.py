"""A source as it comes in: its layers, which of them are alive, and key frames asked for."""

from __future__ import annotations

from dataclasses import dataclass, field

import rtcp
from inbound import Inbound
from signalling import MediaSource

ALIVE = 1.0  # seconds since a layer's last packet
KEY_FRAME_INTERVAL = 0.3
LAYER_HEIGHTS = {2: (360,), 3: (180, 360)}  # the most that each layer but the last one is good for


@dataclass(slots=True)
class Flow:
    """One source of one peer; `sender` names the endpoint or relay that it comes from."""

    source: MediaSource
    sender: str
    inbound: Inbound
    _seen: dict[int, float] = field(default_factory=dict)
    _asked: dict[int, float] = field(default_factory=dict)

    @property
    def ssrcs(self) -> set[int]:
        """All of them, RTX too."""
        return {*self.source.layers, *self.source.rtx}

    def seen(self, ssrc: int, now: float) -> None:
        """A packet of this layer came."""
        self._seen[ssrc] = now

    def layer(self, height: int, now: float) -> int:
        """The layer for a receiver that wants `height`: the best one alive that is not larger."""
        layers = self.source.layers
        limits = LAYER_HEIGHTS.get(len(layers), ())
        top = len(layers) - 1
        if height >= 0:
            top = next((at for at, most in enumerate(limits) if height <= most), top)
        alive = [one for one in layers if now - self._seen.get(one, 0.0) < ALIVE]
        fitting = [one for one in layers[: top + 1] if one in alive]
        return fitting[-1] if fitting else (alive[0] if alive else layers[top])

    def ask_key_frame(self, ssrc: int, now: float) -> bool:
        """Send a PLI to the source's sender, unless that has just been done."""
        if now - self._asked.get(ssrc, 0.0) < KEY_FRAME_INTERVAL:
            return False
        self._asked[ssrc] = now
        self.inbound.reply(rtcp.render_pli(self.inbound.ours, ssrc))
        return True
