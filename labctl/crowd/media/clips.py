"""Recorded media of our own making: encoded once (recordings/make.py), never at run time.

A clip is a file: a line of JSON that says what it is, then each frame as its size (2 bytes), one
byte of information (audio: the level in -dBov; video: 1 for a whole picture) and its data.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Frame:
    """What one moment takes."""

    data: bytes
    info: int


@dataclass(frozen=True, slots=True)
class Clip:
    """Frames that are played in a circle."""

    codec: str
    clock: int
    step: int
    """Ticks of the clock from one frame to the next."""
    frames: tuple[Frame, ...]

    @property
    def period(self) -> float:
        """Seconds from one frame to the next."""
        return self.step / self.clock


def parse_clip(data: bytes) -> Clip:
    """A clip from the bytes of its file."""
    head, _, rest = data.partition(b"\n")
    told = json.loads(head)
    frames, at = [], 0
    while at < len(rest):
        size = int.from_bytes(rest[at : at + 2])
        frames.append(Frame(rest[at + 3 : at + 3 + size], rest[at + 2]))
        at += 3 + size
    return Clip(told["codec"], told["clock"], told["step"], tuple(frames))


def render_clip(codec: str, clock: int, step: int, frames: Iterable[Frame]) -> bytes:
    """The bytes of a clip's file."""
    head = json.dumps({"codec": codec, "clock": clock, "step": step}).encode()
    parts = (len(frame.data).to_bytes(2) + bytes((frame.info,)) + frame.data for frame in frames)
    return head + b"\n" + b"".join(parts)


@cache
def clip_of(codec: str) -> Clip:
    """The clip for this codec ('opus', 'vp8'); read once."""
    folder = files("labctl.crowd.media") / "recordings"
    return parse_clip((folder / f"{codec}.clip").read_bytes())


CODECS = {"audio": ("opus",), "video": ("vp8",)}
"""What there are clips of, by media, the best first."""
