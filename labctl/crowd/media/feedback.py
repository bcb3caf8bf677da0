"""Transport-wide feedback: when which packet arrived, so that a bridge knows what it may send.

Format: draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1.
"""

from __future__ import annotations

from labctl.crowd.media import rtcp

TICK = 250e-6  # seconds in which arrivals are told
REFERENCE = 0.064  # seconds in which the base time is told
MOST = 400  # packets in one report
_SMALL, _LARGE = 1, 2


class Arrivals:
    """Arrivals since the last report."""

    __slots__ = ("_count", "_next", "_seen")

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}
        self._next: int | None = None
        self._count = 0

    def note(self, number: int, at: float) -> None:
        """Packet `number` (16 bits) arrived at `at` (seconds of any steady clock)."""
        self._seen[number] = at

    def render(self, sender: int, source: int) -> bytes:
        """One report on all that was noted; nothing where nothing was."""
        if not self._seen:
            return b""
        first = self._first()
        numbers = sorted(((n - first & 0xFFFF), at) for n, at in self._seen.items())
        offsets = {offset: at for offset, at in numbers if offset < MOST}
        self._seen.clear()
        if not offsets:
            self._next = None  # it jumped: begin again with the next
            return b""
        count = max(offsets) + 1
        self._next = first + count & 0xFFFF
        reference = int(min(offsets.values()) / REFERENCE)
        symbols, deltas = _deltas(offsets, count, reference * REFERENCE)
        head = (
            source.to_bytes(4)
            + first.to_bytes(2)
            + count.to_bytes(2)
            + (reference & 0xFFFFFF).to_bytes(3)
            + bytes((self._count & 0xFF,))
        )
        self._count += 1
        body = head + _chunks(symbols) + deltas
        padded = body.ljust(-(-len(body) // 4) * 4, b"\0")
        return _packet(sender, padded)

    def _first(self) -> int:
        """The number after the last that was reported, else the earliest that arrived."""
        if self._next is not None:
            return self._next
        return min(self._seen, key=lambda number: self._seen[number])


def _deltas(offsets: dict[int, float], count: int, base: float) -> tuple[list[int], bytes]:
    symbols, deltas, last = [], bytearray(), base
    for offset in range(count):
        at = offsets.get(offset)
        if at is None:
            symbols.append(0)
            continue
        ticks = round((at - last) / TICK)
        ticks = max(min(ticks, 0x7FFF), -0x8000)
        last += ticks * TICK
        if 0 <= ticks <= 0xFF:
            symbols.append(_SMALL)
            deltas.append(ticks)
        else:
            symbols.append(_LARGE)
            deltas += ticks.to_bytes(2, signed=True)
    return symbols, bytes(deltas)


def _chunks(symbols: list[int]) -> bytes:
    """Runs where seven or more are alike, else vectors of seven two-bit symbols."""
    out, at = bytearray(), 0
    while at < len(symbols):
        run = at
        while run < len(symbols) and symbols[run] == symbols[at] and run - at < 0x1FFF:
            run += 1
        if run - at >= 7 or run == len(symbols):
            out += (symbols[at] << 13 | run - at).to_bytes(2)
            at = run
            continue
        seven = (symbols[at : at + 7] + [0] * 7)[:7]
        word = 0xC000
        for index, symbol in enumerate(seven):
            word |= symbol << 12 - 2 * index
        out += word.to_bytes(2)
        at += 7
    return bytes(out)


def _packet(sender: int, body: bytes) -> bytes:
    words = (len(body) + 8) // 4 - 1
    head = (0x80 | rtcp.TRANSPORT_WIDE) << 24 | rtcp.TRANSPORT_FEEDBACK << 16 | words
    return head.to_bytes(4) + sender.to_bytes(4) + body
