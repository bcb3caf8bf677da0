"""Where packets go: a file, or Wireshark's standard input; TLS secrets go before them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from labctl.capture import pcapng
from labctl.capture.tap import Seen


class KeyLog:
    """A file of TLS secrets (SSLKEYLOGFILE) that others write; whole lines are read once."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0

    def news(self) -> bytes:
        """The whole lines that came since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                lines, end, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return b""
        self._read += len(lines) + len(end)
        return lines + end


class Sink:
    """Writes a pcapng: an interface for each node, named as the node."""

    def __init__(
        self, file: IO[bytes], nodes: Sequence[str], *, keys: KeyLog | None, application: str
    ) -> None:
        self._file, self._nodes, self._keys = file, nodes, keys
        self._numbers: dict[int, int] = {}
        self.packets = 0
        self._file.write(pcapng.section(application))
        self.flush()

    def write(self, seen: Seen) -> None:
        """The packet; before a node's first one, its interface."""
        if seen.source not in self._numbers:
            self._numbers[seen.source] = len(self._numbers)
            name = self._nodes[seen.source]
            self._file.write(pcapng.interface(name, link_type=seen.link_type))
        packet, number = seen.packet, self._numbers[seen.source]
        self._file.write(
            pcapng.packet(packet.data, interface=number, time=packet.time, length=packet.length)
        )
        self.packets += 1

    def write_keys(self) -> None:
        """The secrets that are new, so that they stand before the packets that come next."""
        if self._keys is not None and (lines := self._keys.news()):
            self._file.write(pcapng.tls_secrets(lines))

    def flush(self) -> None:
        self._file.flush()
