#!/usr/bin/env python3
"""Make the recordings again: sound and picture of our own, encoded with ffmpeg's libraries (PyAV).

    .venv/bin/python labctl/crowd/media/recordings/make.py

Sound: four notes of a chord, one after another, 48 kHz mono, Opus at 24 kbit/s, 20 ms a packet.
Picture: a disc that moves over a gradient with grain, 320x180, 15 frames a second,
VP8 at 150 kbit/s, the first frame whole and the others not.  PyAV
comes with aiortc; nothing else needs it.
"""

from __future__ import annotations

import math
from array import array
from pathlib import Path
from typing import Any

import av

from labctl.crowd.media.clips import Frame, render_clip

HERE = Path(__file__).resolve().parent
RATE, SAMPLES, SECONDS = 48_000, 960, 4
NOTES = (220.0, 277.2, 329.6, 440.0)
WIDTH, HEIGHT, FRAMES_A_SECOND = 320, 180, 15


def wave(index: int) -> array[int]:
    """One packet's samples."""
    out = array("h")
    for n in range(index * SAMPLES, (index + 1) * SAMPLES):
        at = n / RATE
        note = NOTES[int(at) % len(NOTES)]
        swell = 0.15 + 0.85 * math.sin(math.pi * (at % 1.0)) ** 2  # each note comes and goes
        out.append(int(9000 * swell * math.sin(2 * math.pi * note * at)))
    return out


def level(samples: array[int]) -> int:
    """The level of RFC 6464: -dBov, 0 the loudest, 127 silence."""
    power = sum(sample * sample for sample in samples) / len(samples)
    return 127 if power == 0 else min(127, max(0, round(-10 * math.log10(power / 32768**2))))


def make_sound() -> bytes:
    codec: Any = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format, codec.bit_rate = RATE, "mono", "s16", 24_000
    codec.options = {"frame_duration": "20", "application": "audio"}
    frames = []
    for index in range(RATE // SAMPLES * SECONDS):
        samples = wave(index)
        frame = av.AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts = RATE, index * SAMPLES
        frames += [Frame(bytes(packet), level(samples)) for packet in codec.encode(frame)]
    return render_clip("opus", RATE, SAMPLES, frames)


def picture(index: int, count: int) -> av.VideoFrame:
    angle = 2 * math.pi * index / count
    x, y = WIDTH / 2 + 110 * math.cos(angle), HEIGHT / 2 + 55 * math.sin(angle)
    luma = bytearray()
    for row in range(HEIGHT):
        for column in range(WIDTH):
            inside = (column - x) ** 2 + (row - y) ** 2 < 30**2
            grain = (column * 31 + row * 17 + index * 7) % 56
            luma.append(220 if inside else 40 + column // 4 + grain)
    frame = av.VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane, data in zip(
        frame.planes,
        (luma, bytes([110]) * (WIDTH * HEIGHT // 4), bytes([150]) * (WIDTH * HEIGHT // 4)),
        strict=True,
    ):
        width = plane.width
        rows = [bytes(data[at : at + width]) for at in range(0, len(data), width)]
        plane.update(b"".join(row.ljust(plane.line_size, b"\0") for row in rows))
    return frame


def make_picture() -> bytes:
    codec: Any = av.CodecContext.create("libvpx", "w")
    codec.width, codec.height, codec.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    codec.framerate, codec.bit_rate = FRAMES_A_SECOND, 150_000
    count = FRAMES_A_SECOND * SECONDS
    codec.options = {"g": str(count * 2), "deadline": "good", "lag-in-frames": "0"}
    packets = []
    for index in range(count):
        frame = picture(index, count)
        frame.pts = index
        packets += codec.encode(frame)
    packets += codec.encode(None)
    frames = [Frame(bytes(packet), int(packet.is_keyframe)) for packet in packets]
    return render_clip("vp8", 90_000, 90_000 // FRAMES_A_SECOND, frames)


def main() -> None:
    (HERE / "opus.clip").write_bytes(make_sound())
    (HERE / "vp8.clip").write_bytes(make_picture())


if __name__ == "__main__":
    main()
