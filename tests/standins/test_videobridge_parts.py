"""Parts of the stand-in bridge's media that need no network: RTP, RTCP, SCTP, allocation."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable

import pytest
from aiortc import rtp as aiortc_rtp

from tests.standins import paths  # noqa: F401
from tests.standins.mediapeer import render_rtp

import allocation  # isort: skip
import channel  # isort: skip
import dtls  # isort: skip
import inbound  # isort: skip
import keyframes  # isort: skip
import outbound  # isort: skip
import rtcp  # isort: skip
import rtp  # isort: skip
import sctp  # isort: skip
import sctpwire  # isort: skip
import signalling  # isort: skip
import speakers  # isort: skip
import stanzas  # isort: skip

# -- RTP and RTCP ------------------------------------------------------------------------------


def test_header_extensions_are_found_and_changed_in_place() -> None:
    data = render_rtp(7, 9, b"pay", pt=111, extensions={1: b"\x95", 5: b"\0\1", 3: b"abc"})
    packet = rtp.parse_rtp(data)
    assert packet is not None and packet.payload == b"pay"
    assert rtp.audio_level(packet, 1) == 0x15 and rtp.audio_level(packet, None) == rtp.SILENCE
    changed = bytearray(data)
    rtp.set_short(changed, packet.extensions[5][0], 0x1234)
    rtp.set_send_time(changed, packet.extensions[3][0], 1.5)
    theirs = aiortc_rtp.RtpPacket.parse(bytes(changed))
    assert (theirs.ssrc, theirs.sequence_number, theirs.payload) == (7, 9, b"pay")
    again = rtp.parse_rtp(bytes(changed))
    assert again is not None and again.extension(5) == b"\x12\x34"
    assert again.extension(3) == (0x60000).to_bytes(3, "big")  # 1.5 s in 6.18


@pytest.mark.parametrize("wide", [False, True], ids=["one-byte", "two-byte"])
def test_other_extensions_are_blanked(wide: bool) -> None:
    if wide:
        body = b"\x0a\x011" + b"\x01\x01\x95" + b"\x05\x02\0\x07" + b"\0\0"
        head = b"\x90\x6f\0\x09" + bytes(4) + (7).to_bytes(4, "big") + b"\x10\0\0\x03"
        data = head + body + b"pay"
    else:
        extensions = {10: b"1", 1: b"\x95", 5: b"\0\x07"}
        data = render_rtp(7, 9, b"pay", pt=111, extensions=extensions)
    packet = rtp.parse_rtp(data)
    assert packet is not None and packet.extension(10) == b"1"
    kept = rtp.keep_extensions(packet, frozenset({1, 5}))
    read = rtp.parse_rtp(kept.data)
    assert read is not None and len(read.data) == len(data) and read.payload == b"pay"
    assert read.extensions == kept.extensions == {
        id: place for id, place in packet.extensions.items() if id != 10
    }  # fmt: skip


@pytest.mark.parametrize("cut", [0, 8, 11, 13, 18])
def test_packets_that_are_cut_off_are_none(cut: int) -> None:
    data = render_rtp(7, 9, b"", pt=111, extensions={1: b"\x15"})
    assert rtp.parse_rtp(data[:cut]) is None


@pytest.mark.parametrize(
    ("codec", "payload", "begins"),
    [
        ("vp8", b"\x10\x00", True),
        ("vp8", b"\x10\x01", False),
        ("vp8", b"\x90\x80\x81\x02\x00", True),  # with a picture id of two bytes
        ("vp8", b"\x00\x00", False),  # not the frame's first packet
        ("vp9", b"\x08", True),
        ("vp9", b"\x48", False),
        ("vp9", b"\xa8\x05\x02", False),  # a spatial layer above the first
        ("h264", b"\x67", True),
        ("h264", b"\x41", False),
        ("h264", b"\x7c\x85", True),
        ("h264", b"\x7c\x05", False),
        ("h264", b"\x78\x00\x05\x67", True),
        ("av1", b"\x18", True),
        ("av1", b"\x10", False),
        ("vp8", b"", False),
        ("else", b"", True),
    ],
)
def test_key_frames(codec: str, payload: bytes, begins: bool) -> None:
    assert keyframes.begins_key_frame(codec, payload) is begins


def test_nack_and_pli_as_others_read_them() -> None:
    lost = [100, 101, 105, 140]
    (packet,) = aiortc_rtp.RtcpPacket.parse(rtcp.render_nack(1, 2, lost))
    assert isinstance(packet, aiortc_rtp.RtcpRtpfbPacket) and packet.lost == lost
    (mine,) = rtcp.parse_rtcp(bytes(packet))
    assert rtcp.parse_nack(mine) == lost and rtcp.media_ssrc(mine) == 2
    around = [65534, 65535, 3, 40]
    (mine,) = rtcp.parse_rtcp(rtcp.render_nack(1, 2, around))
    assert rtcp.parse_nack(mine) == around
    (pli,) = aiortc_rtp.RtcpPacket.parse(rtcp.render_pli(1, 2))
    assert isinstance(pli, aiortc_rtp.RtcpPsfbPacket) and (pli.fmt, pli.media_ssrc) == (1, 2)


def test_remb_as_others_read_it() -> None:
    (packet,) = aiortc_rtp.RtcpPacket.parse(rtcp.render_remb(1, 2_500_000, [7, 8]))
    assert isinstance(packet, aiortc_rtp.RtcpPsfbPacket)
    bits, ssrcs = aiortc_rtp.unpack_remb_fci(packet.fci)
    assert ssrcs == [7, 8] and abs(bits - 2_500_000) < 32


def read_feedback(data: bytes) -> dict[int, float]:
    """Arrival times by number, as the draft has them; the test's own reading."""
    first, count, word = struct.unpack_from("!HHI", data, 12)
    symbols: list[int] = []
    at = 20
    while len(symbols) < count:
        (chunk,) = struct.unpack_from("!H", data, at)
        assert chunk >> 14 == 3  # a vector of two-bit symbols
        symbols += [chunk >> shift & 3 for shift in range(12, -2, -2)]
        at += 2
    now = (word >> 8) * 0.064
    arrivals: dict[int, float] = {}
    for number, symbol in enumerate(symbols[:count], start=first):
        if symbol == 1:
            now += data[at] / 4000
            at += 1
        elif symbol == 2:
            now += struct.unpack_from("!h", data, at)[0] / 4000
            at += 2
        if symbol:
            arrivals[number & 0xFFFF] = now
    return arrivals


def test_transport_wide_feedback() -> None:
    arrived = [(65534, 10.0), (65535, 10.01), (65537, 10.2), (65538, 10.19)]
    data = rtcp.render_transport_cc(1, 2, 5, arrived)
    assert len(data) % 4 == 0 and len(data) == 4 * (int.from_bytes(data[2:4], "big") + 1)
    read = read_feedback(data)
    assert list(read) == [65534, 65535, 1, 2]
    for (_, at), found in zip(arrived, read.values(), strict=True):
        assert abs(at - found) < 0.0003


def test_reception_counts_losses_and_jitter_as_the_rfc_has_it() -> None:
    reception = inbound.Reception("audio", 65533, 65533)
    for number in (65533, 65534, 1, 0, 2):
        packet = rtp.parse_rtp(render_rtp(7, number, b"", pt=111, timestamp=number * 960))
        assert packet is not None
        reception.count(packet, number * 0.02)
    report = reception.report(7, 1.0)
    assert report.highest == 1 << 16 | 2
    assert (report.lost, report.lost_fraction) == (1, 42)  # 65535 of six
    assert list(reception.missing) == [65535]


# -- streams -----------------------------------------------------------------------------------


def sequence(stream: outbound.Stream, ssrc: int, number: int, *, can_begin: bool) -> int | None:
    packet = rtp.parse_rtp(render_rtp(ssrc, number, b"x", pt=100, timestamp=number * 3000))
    assert packet is not None
    data = stream.project(packet, number / 30, can_begin=can_begin)
    return None if data is None else int.from_bytes(data[2:4], "big")


def test_stream_goes_on_without_a_gap() -> None:
    stream = outbound.Stream(99)
    assert sequence(stream, 1, 10, can_begin=False) is None
    assert sequence(stream, 1, 11, can_begin=True) == 11
    assert sequence(stream, 1, 10, can_begin=False) is None  # older than the key frame
    assert sequence(stream, 1, 13, can_begin=False) == 13
    assert sequence(stream, 1, 12, can_begin=False) == 12  # came late
    assert sequence(stream, 2, 500, can_begin=True) == 14
    stream.pause()
    assert sequence(stream, 2, 501, can_begin=False) is None
    assert sequence(stream, 2, 600, can_begin=True) == 15


def test_long_stream_never_drops_its_own_packets() -> None:
    stream = outbound.Stream(99)
    assert sequence(stream, 1, 0, can_begin=True) == 0
    for number in range(1, 70000, 7):
        assert sequence(stream, 1, number & 0xFFFF, can_begin=False) == number & 0xFFFF


# -- allocation, speakers ----------------------------------------------------------------------


def source(name: str, kind: str = "camera") -> signalling.MediaSource:
    return signalling.MediaSource(name, name[:2], "video", (1,), {}, kind)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"lastN": -1, "defaultConstraints": {"maxHeight": 720}}, ["aa", "bb", "cc"]),
        ({"defaultConstraints": {"maxHeight": 0}}, []),
        ({"lastN": 1}, ["cc"]),  # the last speaker
        ({"lastN": 1, "onStageSources": ["bb"]}, ["bb"]),
        ({"lastN": 2, "onStageSources": ["bb"], "selectedSources": ["aa"]}, ["aa", "bb"]),
        ({"constraints": {"bb": {"maxHeight": 90}}, "defaultConstraints": {"maxHeight": 0}},
         ["bb"]),
    ],
)  # fmt: skip
def test_allocation(message: dict[str, object], expected: list[str]) -> None:
    wishes = allocation.Wishes()
    sources = [source("aa"), source("bb"), source("cc"), source("dd", "none")]
    assert allocation.allocate(wishes, sources, speakers=["cc"], limit=-1) == {}
    wishes.update(message)
    found = allocation.allocate(wishes, sources, speakers=["cc"], limit=-1)
    assert sorted(found) == expected
    assert len(allocation.allocate(wishes, sources, speakers=[], limit=1)) <= 1


@pytest.mark.parametrize(
    "message",
    [{"lastN": "all"}, {"selectedSources": "aa"}, {"constraints": [1]},
     {"defaultConstraints": {"maxHeight": "720"}}],
)  # fmt: skip
def test_malformed_constraints(message: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="is not"):
        allocation.Wishes().update(message)


def test_dominant_speaker_needs_a_lead() -> None:
    found = speakers.Speakers()
    for _ in range(50):
        found.heard("aa", 30)
    assert found.decide(1.0) and found.order == ["aa"]
    for _ in range(50):
        found.heard("bb", 28)
    assert not found.decide(3.0)  # hardly louder
    for _ in range(50):
        found.heard("bb", 10)
    assert not found.decide(1.5)  # too soon
    assert found.decide(3.0) and found.order == ["bb", "aa"]
    found.remove("bb")
    assert found.order == ["aa"]


# -- SCTP --------------------------------------------------------------------------------------


def test_checksum() -> None:
    assert sctpwire.crc32c(b"123456789") == 0xE3069283


class Link:
    """Two associations, with packets lost between them."""

    def __init__(self, loss: float) -> None:
        self._random = random.Random(5)
        self._loss = loss
        self.messages: list[tuple[int, int, bytes]] = []
        self.server = sctp.Association(self._to("client"), lambda *message: None)
        self.client = sctp.Association(self._to("server"), lambda *message: None)
        self.server.on_message = lambda *message: self.messages.append(message)

    def _to(self, side: str) -> Callable[[bytes], None]:
        def carry(packet: bytes) -> None:
            if self._random.random() >= self._loss:
                asyncio.get_running_loop().call_soon(getattr(self, side).receive, packet)

        return carry


def test_messages_arrive_once_and_in_order_although_packets_are_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sctp, "FIRST_RTO", 0.01)
    monkeypatch.setattr(sctp, "LAST_RTO", 0.02)
    monkeypatch.setattr(sctp, "TRIES", 100)

    async def scene() -> None:
        link = Link(0.2)
        link.client._rto = 0.01
        link.client.connect()
        sent = [(1, 51, bytes([number]) * (number * 60)) for number in range(1, 60)]
        for message in sent:
            link.client.send(*message)
        async with asyncio.timeout(10):
            while len(link.messages) < len(sent):
                await asyncio.sleep(0.01)
        assert link.messages == sent
        link.client.close()
        link.server.close()

    asyncio.run(scene())


def test_association_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sctp, "LAST_RTO", 0.01)
    monkeypatch.setattr(sctp, "TRIES", 3)

    async def scene() -> None:
        link, ended = Link(1.0), asyncio.Event()
        link.client._rto = 0.01
        link.client.on_closed = ended.set
        link.client.connect()
        await asyncio.wait_for(ended.wait(), 5)
        assert link.client.closed and not link.client.open

    asyncio.run(scene())


# -- DTLS, channel, candidates -----------------------------------------------------------------


def test_records_are_not_cut() -> None:
    sizes = (500, 600, 2000, 9)
    records = [b"\x16" * 11 + struct.pack("!H", size) + b"x" * size for size in sizes]
    packed = list(dtls.pack_records(b"".join(records)))
    assert packed == [records[0] + records[1], records[2], records[3]]


def test_channel_answers_the_way_it_was_asked_last() -> None:
    heard: list[str] = []
    one = channel.Channel(channel.ChannelCounts(), heard.append)
    socket, data, closed = list[str](), list[str](), list[bool]()
    one.say({"lost": 1})
    one.attach(channel.Way.DATA_CHANNEL, data.append, close=lambda: None)
    one.attach(channel.Way.WEBSOCKET, socket.append, close=lambda: closed.append(True))
    one.say({"n": 1})
    one.received(channel.Way.DATA_CHANNEL, "hello")
    one.say({"n": 2})
    assert (socket, data, heard) == (['{"n":1}'], ['{"n":2}'], ["hello"])
    newer = list[str]()
    one.attach(channel.Way.WEBSOCKET, newer.append, close=lambda: None)
    assert closed == [True]
    one.say({"n": 3})
    one.detach(channel.Way.WEBSOCKET, newer.append)
    one.say({"n": 4})
    assert (newer, data[-1]) == (['{"n":3}'], '{"n":4}')


def test_mapped_address_is_a_candidate_of_its_own() -> None:
    host, mapped = signalling.render_candidates(["10.0.0.2"], ["203.0.113.4"], 10000)
    assert (host.get("type"), host.get("ip"), host.get("rel-addr")) == ("host", "10.0.0.2", None)
    assert (mapped.get("type"), mapped.get("rel-addr")) == ("srflx", "10.0.0.2")
    assert int(host.get("priority") or 0) > int(mapped.get("priority") or 0)


@pytest.mark.parametrize(
    ("ip", "port", "address"),
    [("10.0.0.1", "5", ("10.0.0.1", 5)), ("a1b2.local", "5", None), ("::1", "5", None),
     ("10.0.0.1", "0", None), ("10.0.0.1", "x", None)],
)  # fmt: skip
def test_candidates_of_others(ip: str, port: str, address: tuple[str, int] | None) -> None:
    attrs = {"ip": ip, "port": port, "protocol": "udp", "component": "1"}
    transport = stanzas.el(stanzas.ICE, "transport", {"ufrag": "u", "pwd": "p"})
    transport.append(stanzas.el(stanzas.ICE, "candidate", attrs))
    remote, peer = signalling.parse_remote(transport)
    assert remote is not None and peer is None
    assert remote.candidates == ((address,) if address else ())


def test_sources_with_layers_and_repairs() -> None:
    text = stanzas.el(stanzas.COLIBRI2, "sources")
    item = stanzas.el(stanzas.COLIBRI2, "media-source", {"type": "video", "id": "aa-v0"})
    for ssrc in (1, 2, 3, 11, 12, 13):
        item.append(stanzas.el(stanzas.SSMA, "source", {"ssrc": str(ssrc)}))
    for semantics, ssrcs in (("SIM", (1, 2, 3)), ("FID", (1, 11)), ("FID", (2, 12))):
        members = [stanzas.el(stanzas.SSMA, "source", {"ssrc": str(one)}) for one in ssrcs]
        item.append(stanzas.el(stanzas.SSMA, "ssrc-group", {"semantics": semantics}, *members))
    text.append(item)
    (found,) = signalling.parse_sources(text, "aa")
    assert (found.primary, found.layers, found.rtx) == (1, (1, 2, 3), {11: 1, 12: 2})
