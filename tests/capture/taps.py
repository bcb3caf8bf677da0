"""Programs in the place of ssh: they write what tcpdump would, and end as it would."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labctl.core.flow import Flow
from labctl.node.script import Work
from labctl.topology.lab import Lab

PROGRAM = """
import sys, time
out = sys.stdout.buffer
out.write(open(sys.argv[1], 'rb').read())
out.flush()
if sys.argv[2] == 'stays':
    sys.stdin.read()
sys.stderr.write(sys.argv[4])
sys.exit(int(sys.argv[3]))
"""


def pcap(*packets: tuple[float, bytes], magic: int = 0xA1B2C3D4) -> bytes:
    """A capture of Ethernet packets, each with its time in seconds."""
    head = struct.pack("<IHHiIII", magic, 2, 4, 0, 0, 262144, 1)
    parts = 1_000_000 if magic == 0xA1B2C3D4 else 1_000_000_000
    return head + b"".join(
        struct.pack("<IIII", int(at), round(at % 1 * parts), len(data), len(data) + 2) + data
        for at, data in packets
    )


@dataclass(slots=True)
class FakeTaps:
    """What each node's tcpdump writes, whether it stays, its exit status, and its last words."""

    folder: Path
    says: Mapping[str, bytes]
    stays: bool = True
    code: int = 0
    last_words: str = "3 packets captured\n7 packets dropped by kernel\n"
    asked: dict[str, str] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)

    def __call__(self, lab: Lab, node: str, work: Work) -> Flow:
        self.asked[node] = work.text
        file = self.folder / f"{node}.pcap"
        file.write_bytes(self.says[node])
        stays = "stays" if self.stays else "ends"
        words = [sys.executable, "-c", PROGRAM, file, stays, str(self.code), self.last_words]
        self.flows.append(Flow(words))
        return self.flows[-1]


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a pcapng file."""

    kind: int
    body: bytes


def blocks(data: bytes) -> Sequence[Block]:
    """The blocks of a file, each of which says its length twice."""
    found = []
    while data:
        kind, size = struct.unpack("<II", data[:8])
        assert size % 4 == 0
        assert data[size - 4 : size] == data[4:8]
        found.append(Block(kind, data[8 : size - 4]))
        data = data[size:]
    return found
