"""tcpdump on one node: the script, a thread that reads its packets, and what it says at its end."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass

from labctl.capture.pcap import Packet, PcapError, read_pcap
from labctl.core.flow import Flow
from labctl.node.script import ShellScript
from labctl.node.seam import NodeError

MISSING = 127
DROPPED = re.compile(r"(?m)^(\d+) packets? dropped by kernel")

# Both ends stop it: when its input ends (labctl has finished, or has gone), and when it fails.  A
# background command's input is not the script's own, so the watcher gets that as its third file.
SCRIPT = """
command -v tcpdump > /dev/null || exit 127
exec 3<&0
tcpdump -i any -n -U -s 0 -B 8192 --immediate-mode -w - {filter} < /dev/null &
tcpdump=$!
{{ read -r _ <&3; kill -TERM "$tcpdump"; }} > /dev/null 2>&1 &
watcher=$!
wait "$tcpdump"
code=$?
kill "$watcher" 2> /dev/null
exit "$code"
"""


def render_script(filter_: str) -> ShellScript:
    """The script that writes packets to its output until its input ends."""
    return ShellScript(SCRIPT.format(filter=shlex.quote(filter_)))


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet, and the node (its number) and link type that it was seen on."""

    source: int
    link_type: int
    packet: Packet


class Tap:
    """The packets of one node, passed to `on_packet` as they come, from a thread of its own.

    `on_start` is called once tcpdump has begun, before its first packet.
    """

    def __init__(
        self,
        node: str,
        number: int,
        flow: Flow,
        *,
        on_packet: Callable[[Seen], None],
        on_start: Callable[[], None],
    ) -> None:
        self.node, self._number, self._flow = node, number, flow
        self._on_packet, self._on_start = on_packet, on_start
        self._wrong = ""
        self._thread = threading.Thread(target=self._read, name=f"tap of {node}", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def finish(self) -> None:
        """Tell tcpdump to end; what it still has comes."""
        self._flow.finish()

    def end(self, *, seconds: float) -> int:
        """Wait for the end; returns how many packets the node's kernel has dropped.

        Errors: NodeError if tcpdump could not record.
        """
        self._thread.join(seconds)
        code, said = self._flow.end()
        if code == MISSING:
            raise NodeError(
                self.node,
                " has no tcpdump.",
                hint="Its image is of an older labctl: 'labctl up' makes it anew.",
            )
        if code != 0 or self._wrong:
            lines = [
                line for line in said.splitlines() if not line.startswith("tcpdump: listening")
            ]
            reason = self._wrong or (lines[-1] if lines else f"exit status {code}")
            raise NodeError(self.node, f" cannot record packets: {reason}.")
        dropped = DROPPED.search(said)
        return int(dropped[1]) if dropped else 0

    def _read(self) -> None:
        try:
            link_type, packets = read_pcap(self._flow.read)
            self._on_start()
            for packet in packets:
                self._on_packet(Seen(self._number, link_type, packet))
        except EOFError:
            return
        except PcapError as error:
            self._wrong = f"what it says is not a capture: {error}"
