"""One source that is sent: a clip as RTP in its own time, repeated where it is asked for."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from labctl.crowd.media import rtcp, rtp
from labctl.crowd.media.clips import Clip, Frame

PAYLOAD = 1100  # bytes of a picture in one packet: fits each way with all that is around it
KEPT = 512  # packets that can be repeated
LATE = 0.5  # seconds of lateness that are made up for; what is more is left out
PICTURE_AGAIN = 0.3
"""Seconds in which further requests for a whole picture are one."""


@dataclass(frozen=True, slots=True)
class Extensions:
    """Ids of the header extensions that were negotiated for one content; None where not."""

    audio_level: int | None = None
    send_time: int | None = None
    transport: int | None = None

    @classmethod
    def of(cls, negotiated: dict[str, int]) -> Extensions:
        return cls(
            audio_level=negotiated.get(rtp.AUDIO_LEVEL),
            send_time=negotiated.get(rtp.ABS_SEND_TIME),
            transport=negotiated.get(rtp.TRANSPORT_CC),
        )


class Counter:
    """The transport-wide sequence number: one for all of a session's sources."""

    __slots__ = ("_value",)

    def __init__(self) -> None:
        self._value = secrets.randbelow(0x8000)

    def next(self) -> bytes:
        self._value = self._value + 1 & 0xFFFF
        return self._value.to_bytes(2)


class Sender:
    """Sends while it runs; `send` gets RTP in the clear and returns what went out."""

    __slots__ = (
        "_at", "_clip", "_counter", "_extensions", "_index", "_kept", "_next", "_picture",
        "_picture_wanted", "_send", "_sequence", "_timer", "_timestamp", "_whole_at", "name",
        "octets", "packets", "payload_type", "pictures_asked", "repeated", "ssrc",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        ssrc: int,
        clip: Clip,
        *,
        payload_type: int,
        extensions: Extensions,
        counter: Counter,
        send: Callable[[bytes], bytes],
    ) -> None:
        self.name, self.ssrc, self.payload_type = name, ssrc, payload_type
        self._clip, self._extensions, self._counter = clip, extensions, counter
        self._send = send
        self._sequence = secrets.randbelow(0x8000)
        self._timestamp = secrets.randbits(31)
        self._picture = secrets.randbelow(0x4000)
        self._index = 0
        self._kept: dict[int, bytes] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._next = self._at = self._whole_at = 0.0
        self._picture_wanted = False
        self.packets = self.octets = self.repeated = self.pictures_asked = 0

    @property
    def media(self) -> str:
        return "audio" if self._clip.codec == "opus" else "video"

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        # Not all participants of a process at the same instant.
        self._next = loop.time() + self._clip.period * secrets.randbelow(1000) / 1000
        self._timer = loop.call_at(self._next, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now, period = loop.time(), self._clip.period
        if now - self._next > LATE:
            missed = int((now - self._next) / period)
            self._next += missed * period
            self._timestamp += missed * self._clip.step
        while self._next <= now:
            self._send_frame(self._take())
            self._next += period
        self._timer = loop.call_at(self._next, self._tick)

    def _take(self) -> Frame:
        if self._picture_wanted:
            self._picture_wanted, self._index = False, 0
        frame = self._clip.frames[self._index]
        self._index = (self._index + 1) % len(self._clip.frames)
        return frame

    def _send_frame(self, frame: Frame) -> None:
        self._at = time.monotonic()
        if self._clip.codec == "opus":
            self._send_packet(frame.data, marker=False, level=frame.info)
        else:
            self._send_picture(frame)
        self._timestamp += self._clip.step

    def _send_picture(self, frame: Frame) -> None:
        """VP8 in packets, each with a payload descriptor (RFC 7741, 4.2)."""
        self._picture = self._picture + 1 & 0x7FFF
        pieces = range(0, len(frame.data), PAYLOAD)
        for start in pieces:
            begins = 0x10 if start == 0 else 0
            descriptor = bytes((0x80 | begins, 0xE0)) + (0x8000 | self._picture).to_bytes(2)
            descriptor += bytes((self._picture & 0xFF, 0))  # TL0PICIDX; layer 0 of one
            data = descriptor + frame.data[start : start + PAYLOAD]
            self._send_packet(data, marker=start == pieces[-1])

    def _send_packet(self, payload: bytes, *, marker: bool, level: int | None = None) -> None:
        packet = rtp.render_packet(
            payload_type=self.payload_type,
            marker=marker,
            sequence=self._sequence,
            timestamp=self._timestamp & 0xFFFFFFFF,
            ssrc=self.ssrc,
            payload=payload,
            extensions=rtp.render_extensions(self._elements(level)),
        )
        self._kept[self._sequence] = self._send(packet)
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        self._sequence = self._sequence + 1 & 0xFFFF
        self.packets += 1
        self.octets += len(payload)

    def _elements(self, level: int | None) -> list[tuple[int, bytes]]:
        known, elements = self._extensions, []
        if level is not None and known.audio_level is not None:
            speaks = 0x80 if level < 60 else 0
            elements.append((known.audio_level, bytes((speaks | level,))))
        if known.send_time is not None:
            elements.append((known.send_time, rtp.absolute_send_time(self._at)))
        if known.transport is not None:
            elements.append((known.transport, self._counter.next()))
        return elements

    # What others ask for.

    def kept(self, number: int) -> bytes | None:
        """A packet as it went out, for whoever misses it."""
        found = self._kept.get(number)
        self.repeated += found is not None
        return found

    def want_picture(self) -> None:
        """The next frame is a whole picture (PLI)."""
        now = time.monotonic()
        self.pictures_asked += 1
        if now - self._whole_at >= PICTURE_AGAIN:
            self._whole_at, self._picture_wanted = now, True

    def report(self, blocks: list[rtcp.Block]) -> bytes:
        """The sender report for now."""
        since = time.monotonic() - self._at if self.packets else 0.0
        last = self._timestamp - self._clip.step  # of the frame that was sent at `_at`
        return rtcp.render_sender_report(
            self.ssrc,
            ntp=rtcp.ntp_now(),
            timestamp=int(last + since * self._clip.clock) & 0xFFFFFFFF,
            packets=self.packets & 0xFFFFFFFF,
            octets=self.octets & 0xFFFFFFFF,
            blocks=blocks,
        )
