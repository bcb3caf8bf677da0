"""RTP, RTCP and transport-wide feedback as bytes; another implementation reads them."""

from __future__ import annotations

import pytest
from aiortc.rtp import (
    HeaderExtensionsMap,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSrPacket,
    RtpPacket,
)

from labctl.crowd.media import rtcp, rtp
from labctl.crowd.media.feedback import Arrivals
from labctl.crowd.media.receiver import Receiver
from labctl.crowd.media.sources import Source


def packet(number: int, *, timestamp: int = 0, payload: bytes = b"abc") -> bytes:
    return rtp.render_packet(
        payload_type=111,
        marker=False,
        sequence=number & 0xFFFF,
        timestamp=timestamp & 0xFFFFFFFF,
        ssrc=5,
        payload=payload,
    )


def test_a_packet_with_extensions() -> None:
    block = rtp.render_extensions([(1, b"\x85"), (3, b"\1\2\3"), (5, b"\0\x07")])
    data = rtp.render_packet(
        payload_type=100,
        marker=True,
        sequence=65535,
        timestamp=2**32 - 1,
        ssrc=0xDEADBEEF,
        payload=b"picture",
        extensions=block,
    )
    read = RtpPacket.parse(data, HeaderExtensionsMap())
    assert (read.payload_type, read.marker, read.sequence_number) == (100, 1, 65535)
    assert (read.timestamp, read.ssrc, read.payload) == (2**32 - 1, 0xDEADBEEF, b"picture")
    found = [rtp.find_extension(data, number) for number in (1, 3, 5, 2)]
    assert found == [b"\x85", b"\1\2\3", b"\0\x07", None]


def test_absolute_send_time_is_seconds_in_24_bits() -> None:
    assert rtp.absolute_send_time(1.5) == (3 << 17).to_bytes(3)
    assert rtp.absolute_send_time(64.0) == b"\0\0\0"  # it goes round every 64 s


def test_reports() -> None:
    block = rtcp.Block(7, 12, 3, 70000, 90, 0x01020304, 65536)
    sent = rtcp.render_sender_report(
        5, ntp=1 << 32, timestamp=960, packets=2, octets=200, blocks=[block]
    )
    compound = (
        sent + rtcp.render_receiver_report(6, [block]) + rtcp.render_description(5, "abcd1234")
    )
    sender, receiver, description = RtcpPacket.parse(compound)
    assert isinstance(sender, RtcpSrPacket) and isinstance(receiver, RtcpRrPacket)
    assert isinstance(description, RtcpSdesPacket)
    assert (sender.ssrc, sender.sender_info.packet_count) == (5, 2)
    for read in (sender.reports[0], receiver.reports[0]):
        assert (read.ssrc, read.fraction_lost, read.packets_lost) == (7, 12, 3)
        assert (read.highest_sequence, read.jitter) == (70000, 90)
        assert (read.lsr, read.dlsr) == (0x01020304, 65536)
    assert description.chunks[0].items == [(1, b"abcd1234")]
    parts = list(rtcp.parse_compound(compound))
    assert [part.kind for part in parts] == [200, 201, 202]
    assert list(rtcp.parse_blocks(parts[0])) == [block] == list(rtcp.parse_blocks(parts[1]))


def test_feedback_to_a_sender() -> None:
    missing = [65535, 0, 3, 16, 40]
    pli, nack = RtcpPacket.parse(rtcp.render_pli(1, 9) + rtcp.render_nack(1, 9, missing))
    assert isinstance(pli, RtcpPsfbPacket) and (pli.fmt, pli.media_ssrc) == (1, 9)
    assert isinstance(nack, RtcpRtpfbPacket) and [n % 65536 for n in nack.lost] == missing
    part = next(rtcp.parse_compound(rtcp.render_nack(1, 9, missing)))
    assert (part.source, list(rtcp.parse_nack(part))) == (9, missing)


def test_a_whole_picture_may_be_wanted_by_fir() -> None:
    fir = RtcpPsfbPacket(fmt=4, ssrc=1, media_ssrc=0, fci=(9).to_bytes(4) + b"\1\0\0\0")
    assert list(rtcp.wanted_pictures(next(rtcp.parse_compound(bytes(fir))))) == [9]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x80\xc8\0\x06\0\0\0\1", id="too short for what it says"),
        pytest.param(b"\x40\xc8\0\0\0\0\0\1", id="another version"),
    ],
)
def test_malformed_rtcp_ends_a_compound(data: bytes) -> None:
    assert list(rtcp.parse_compound(data)) == []


def decode(report: bytes) -> dict[int, float]:
    """Arrivals by number, as the receiver of a report understands it."""
    part = next(rtcp.parse_compound(report))
    assert (part.kind, part.format) == (205, 15)
    body = part.body
    first, count = int.from_bytes(body[4:6]), int.from_bytes(body[6:8])
    at, symbols = 12, []
    while len(symbols) < count:
        word = int.from_bytes(body[at : at + 2])
        at += 2
        if word >> 15:
            symbols += [word >> shift & 3 for shift in range(12, -1, -2)]
        else:
            symbols += [word >> 13] * (word & 0x1FFF)
    time, arrivals = int.from_bytes(body[8:11]) * 0.064, {}
    for offset, symbol in enumerate(symbols[:count]):
        size = {0: 0, 1: 1, 2: 2}[symbol]
        if size:
            time += int.from_bytes(body[at : at + size], signed=size == 2) * 250e-6
            at += size
            arrivals[(first + offset) & 0xFFFF] = time
    assert at <= len(body)
    return arrivals


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(list(range(100, 130)), id="a run"),
        pytest.param([1, 2, 5, 6, 9, 30, 31], id="holes"),
        pytest.param([65534, 65535, 0, 1], id="around"),
        pytest.param([7], id="one"),
        pytest.param([3, 2, 5, 4], id="out of order"),
    ],
)
def test_transport_feedback(numbers: list[int]) -> None:
    arrivals = Arrivals()
    noted = {number: 1000.0 + 0.007 * index for index, number in enumerate(numbers)}
    noted[numbers[-1]] += 0.4  # more than fits one byte
    for number, at in noted.items():
        arrivals.note(number, at)
    told = decode(arrivals.render(1, 2))
    missing = set(noted) - set(told)
    assert missing <= {2}  # came after its successor, before anything was reported
    for number, at in told.items():
        assert abs(at - noted[number]) < 0.001
    assert arrivals.render(1, 2) == b""
    arrivals.note(numbers[-1] + 3, 1001.0)
    assert list(decode(arrivals.render(1, 2))) == [numbers[-1] + 3]


def receive(numbers: list[int], *, step: float = 0.02) -> Receiver:
    receiver = Receiver(Source(5, "x-a0", "x", "audio"), clock=48_000)
    for index, number in enumerate(numbers):
        receiver.take(packet(number, timestamp=number * 960), 50, 10 + index * step)
    return receiver


@pytest.mark.parametrize(
    ("numbers", "lost", "asked"),
    [
        pytest.param([1, 2, 3, 4], 0, [], id="all"),
        pytest.param([1, 2, 5, 6], 2, [3, 4], id="two lost"),
        pytest.param([1, 2, 4, 3, 5], 0, [], id="late"),
        pytest.param([65534, 65535, 0, 1], 0, [], id="around"),
        pytest.param([65534, 1, 2], 2, [65535, 0], id="lost around"),
        pytest.param([1, 1000, 1001], 998, [], id="a jump is not asked for"),
    ],
)
def test_losses(numbers: list[int], lost: int, asked: list[int]) -> None:
    receiver = receive(numbers)
    assert (receiver.lost, receiver.packets) == (lost, len(numbers))
    assert receiver.missing() == asked
    assert receiver.missing() == []


def test_jitter_is_what_arrival_and_timestamp_disagree_in() -> None:
    assert receive(list(range(1, 200))).jitter < 1e-6
    assert abs(receive(list(range(1, 200)), step=0.03).jitter - 0.01) < 1e-4


def test_a_block_reports_what_was_lost_since_the_last() -> None:
    receiver = receive([1, 2, 4, 5])
    first = receiver.block(11.0)
    assert (first.ssrc, first.lost, first.fraction, first.highest) == (5, 1, 256 // 5, 5)
    assert (first.last_report, first.delay) == (0, 0)
    receiver.on_report(0x0102030405060708, 11.0)
    second = receiver.block(11.5)
    assert (second.lost, second.fraction) == (1, 0)
    assert (second.last_report, second.delay) == (0x03040506, 32768)
