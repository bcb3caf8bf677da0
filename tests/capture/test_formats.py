"""What tcpdump writes is read; what Wireshark reads is written."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest

from labctl.capture import pcapng
from labctl.capture.pcap import Packet, PcapError, read_pcap
from labctl.capture.sink import KeyLog
from tests.capture.taps import blocks, pcap


@pytest.mark.parametrize("magic", [0xA1B2C3D4, 0xA1B23C4D], ids=["microseconds", "nanoseconds"])
def test_packets_have_times_in_nanoseconds(magic: int) -> None:
    data = pcap((1.5, b"first"), (2.25, b"second"), magic=magic)
    link_type, packets = read_pcap(io.BytesIO(data).read)
    assert link_type == 1
    assert list(packets) == [
        Packet(1_500_000_000, b"first", 7),
        Packet(2_250_000_000, b"second", 8),
    ]


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_capture_that_was_cut_off_ends_with_its_last_whole_packet(cut: int) -> None:
    data = pcap((1, b"first"), (2, b"second"))[:-cut]
    assert [it.data for it in read_pcap(io.BytesIO(data).read)[1]] == [b"first"]


def test_what_is_no_capture_is_refused() -> None:
    with pytest.raises(PcapError, match="begins with 48656c6c"):
        read_pcap(io.BytesIO(b"Hello, this is a greeting").read)
    with pytest.raises(PcapError, match="ends after 3 bytes"):
        read_pcap(io.BytesIO(b"\xd4\xc3\xb2").read)
    with pytest.raises(EOFError):
        read_pcap(io.BytesIO().read)
    huge = pcap() + struct.pack("<IIII", 1, 0, 1 << 30, 1 << 30)
    with pytest.raises(PcapError, match="a packet of 1073741824 bytes"):
        list(read_pcap(io.BytesIO(huge).read)[1])


def test_blocks_are_whole_and_padded() -> None:
    data = (
        pcapng.section("labctl 1")
        + pcapng.interface("jms", link_type=276)
        + pcapng.packet(b"12345", interface=0, time=(7 << 32) + 9, length=60)
        + pcapng.tls_secrets(b"CLIENT_RANDOM 1 2\n")
    )
    section, interface, packet, secrets = blocks(data)
    assert [section.kind, interface.kind, packet.kind, secrets.kind] == [0x0A0D0D0A, 1, 6, 10]
    assert b"labctl 1" in section.body
    assert interface.body[:2] == (276).to_bytes(2, "little")
    assert b"jms\0" in interface.body
    assert struct.unpack("<IIIII", packet.body[:20]) == (0, 7, 9, 5, 60)
    assert packet.body[20:] == b"12345\0\0\0"
    assert secrets.body[:4] == b"KSLT"
    assert secrets.body[8:].rstrip(b"\0") == b"CLIENT_RANDOM 1 2\n"


def test_only_whole_new_lines_of_a_key_log_are_given(tmp_path: Path) -> None:
    log = KeyLog(tmp_path / "keys")
    assert log.news() == b""
    (tmp_path / "keys").write_bytes(b"one\ntwo\nthr")
    assert log.news() == b"one\ntwo\n"
    assert log.news() == b""
    with (tmp_path / "keys").open("ab") as file:
        file.write(b"ee\n")
    assert log.news() == b"three\n"
