"""Recording: order, ends, and what goes wrong; programs of ours stand in for the nodes."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from labctl.capture.record import Enough, Recorded, record
from labctl.capture.sink import KeyLog, Sink
from labctl.capture.tap import render_script
from labctl.core.errors import LabError
from labctl.core.progress import silent
from labctl.topology.lab import Lab
from tests.capture.taps import FakeTaps, blocks, pcap

pytestmark = pytest.mark.programs

SAYS = {"jms": pcap((1, b"a"), (4, b"d")), "jvb1": pcap((2, b"b"), (3, b"c"))}
FOREVER = Enough()
FILTERS = {"jms": "tcp port 5222", "jvb1": "tcp port 5222"}


def run(
    lab: Lab, taps: FakeTaps, *, enough: Enough = FOREVER, file: io.BytesIO | None = None,
    keys: KeyLog | None = None, hold: float = 0.2,
) -> tuple[Recorded, bytes]:  # fmt: skip
    file = file or io.BytesIO()
    sink = Sink(file, list(taps.says), keys=keys, application="labctl")
    filters = {node: FILTERS[node] for node in taps.says}
    found = record(lab, filters, sink, enough=enough, progress=silent, opener=taps, hold=hold)
    return found, file.getvalue()


def packets(data: bytes) -> list[tuple[int, bytes]]:
    """The interface and content of each packet, in the order of the file."""
    found = [it.body for it in blocks(data) if it.kind == 6]
    return [(int.from_bytes(body[:4], "little"), body[20:21]) for body in found]


def test_packets_of_two_nodes_are_in_the_order_of_their_times(lab: Lab, tmp_path: Path) -> None:
    taps = FakeTaps(tmp_path, SAYS)
    found, data = run(lab, taps, enough=Enough(packets=4))
    assert packets(data) == [(0, b"a"), (1, b"b"), (1, b"c"), (0, b"d")]
    names = [it.body for it in blocks(data) if it.kind == 1]
    assert [b"jms\0" in names[0], b"jvb1" in names[1]] == [True, True]
    assert found == Recorded(4, {"jms": 7, "jvb1": 7})
    assert "-w - 'tcp port 5222' <" in taps.asked["jvb1"]


def test_it_ends_after_so_many_packets(lab: Lab, tmp_path: Path) -> None:
    found, data = run(lab, FakeTaps(tmp_path, SAYS), enough=Enough(packets=3))
    assert [content for _, content in packets(data)] == [b"a", b"b", b"c"]
    assert found.packets == 3


def test_it_ends_after_so_many_seconds(lab: Lab, tmp_path: Path) -> None:
    start = time.monotonic()
    found, _ = run(lab, FakeTaps(tmp_path, SAYS), enough=Enough(seconds=0.5))
    assert found.packets == 4
    assert 0.5 <= time.monotonic() - start < 10


def test_ctrl_c_ends_it_with_all_that_came(lab: Lab, tmp_path: Path) -> None:
    taps = FakeTaps(tmp_path, SAYS)
    threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    # Packets are held for longer, so these come at the end.
    found, data = run(lab, taps, hold=60.0)
    assert found.packets == len(packets(data)) == 4


def test_it_ends_when_wireshark_is_closed(lab: Lab, tmp_path: Path) -> None:
    class Closed(io.BytesIO):
        def write(self, data: object, /) -> int:
            if self.tell() > 60:
                raise BrokenPipeError
            return super().write(data)  # type: ignore[arg-type]

    found, _ = run(lab, FakeTaps(tmp_path, SAYS), file=Closed())
    assert found.packets == 0


def test_it_ends_when_a_node_stops(lab: Lab, tmp_path: Path) -> None:
    found, data = run(lab, FakeTaps(tmp_path, SAYS, stays=False))
    assert found.packets == len(packets(data)) == 4


def test_secrets_stand_before_the_packets_that_they_open(lab: Lab, tmp_path: Path) -> None:
    keys = tmp_path / "keys.log"
    keys.write_bytes(b"early\n")
    taps = FakeTaps(tmp_path, SAYS)
    threading.Timer(0.5, keys.write_bytes, (b"early\nlate\n",)).start()
    _, data = run(lab, taps, enough=Enough(packets=4), keys=KeyLog(keys), hold=1.5)
    kinds = [(it.kind, it.body[8:].rstrip(b"\0")) for it in blocks(data) if it.kind in (6, 10)]
    assert [body for kind, body in kinds[:2]] == [b"early\n", b"late\n"]
    assert [kind for kind, _ in kinds] == [10, 10, 6, 6, 6, 6]


@pytest.mark.parametrize(
    ("code", "words", "message"),
    [
        (127, "", "Node 'jms' has no tcpdump."),
        (1, "tcpdump: listening on any\ntcpdump: can't parse filter\n", "can't parse filter."),
        (255, "Connection refused\n", "cannot record packets: Connection refused."),
        (0, "", "Node 'jms' did not begin to record."),
    ],
    ids=["no tcpdump", "its error", "ssh's error", "silent"],
)
def test_a_node_that_cannot_record_says_why(
    lab: Lab, tmp_path: Path, code: int, words: str, message: str
) -> None:
    taps = FakeTaps(tmp_path, {"jms": b""}, stays=False, code=code, last_words=words)
    with pytest.raises(LabError) as caught:
        run(lab, taps)
    assert caught.value.message.endswith(message)


def test_what_is_no_capture_is_an_error(lab: Lab, tmp_path: Path) -> None:
    taps = FakeTaps(tmp_path, {"jms": b"Last login: yesterday, from here"}, stays=False)
    with pytest.raises(LabError, match="what it says is not a capture: it begins with 4c617374"):
        run(lab, taps)


TCPDUMP = """#!/bin/sh
# Says its arguments, then behaves as the test asks.
echo "$@" > "$FOLDER/arguments"
[ -z "$FAILS" ] || exit 3
trap 'echo ended > "$FOLDER/ended"; exit 0' TERM
printf head
while :; do sleep 0.1; done
"""


def script_run(tmp_path: Path, *, fails: bool) -> tuple[int, subprocess.Popen[bytes]]:
    (tmp_path / "tcpdump").write_text(TCPDUMP, encoding="utf-8")
    (tmp_path / "tcpdump").chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "FOLDER": str(tmp_path)}
    child = subprocess.Popen(
        ["/bin/sh", "-c", render_script("tcp port 22 or udp").text],
        env=env | ({"FAILS": "1"} if fails else {}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        if not fails:
            assert child.stdout.read(4) == b"head"
            child.stdin.close()
        return child.wait(10), child


def test_the_script_ends_tcpdump_when_its_input_ends(tmp_path: Path) -> None:
    code, _ = script_run(tmp_path, fails=False)
    assert code == 0
    assert (tmp_path / "ended").exists()
    assert (tmp_path / "arguments").read_text().endswith("-w - tcp port 22 or udp\n")


def test_the_script_ends_when_tcpdump_fails(tmp_path: Path) -> None:
    assert script_run(tmp_path, fails=True)[0] == 3
