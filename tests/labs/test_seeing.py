"""Looking at a real lab: its plan is what `up` does, its packets are who says what to whom."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.capture.taps import blocks
from tests.labs.conftest import LABCTL, ROOT, Lab

pytestmark = pytest.mark.lab

SECONDS = 13
"""Bridges ping Prosody every 10 s, so there are packets of each in that time."""
SLL2, SLL2_HEAD, TCP = 276, 20, 6


def test_the_plan_of_a_lab_that_is_up_is_empty(lab: Lab) -> None:
    assert lab.run("plan", "--json").json()["empty"]
    changed = lab.run("plan", "--max-participants", "3", "--json").json()
    assert {
        it["name"]: it["tree"]["restart"] for it in changed["nodes"] if it["tree"]["files"]
    } == {"jms": ["jicofo.service"]}


def test_the_graph_of_the_running_lab_is_all_good(lab: Lab) -> None:
    text = lab.run("graph", "--running").out
    assert text.count("  ok\n") == 11
    assert "NOT" not in text


def ends(packet: bytes) -> tuple[str, int, str, int] | None:
    """Addresses and ports of a TCP packet that tcpdump saw on 'any'."""
    ip = packet[SLL2_HEAD:]
    if ip[0] >> 4 != 4 or ip[9] != TCP:
        return None
    at = (ip[0] & 15) * 4
    source, target = struct.unpack(">HH", ip[at : at + 4])
    return ".".join(map(str, ip[12:16])), source, ".".join(map(str, ip[16:20])), target


def seen(file: Path) -> Iterator[tuple[str, tuple[str, int, str, int]]]:
    """Node and ends of every TCP packet of a recording."""
    nodes: list[str] = []
    for block in blocks(file.read_bytes()):
        if block.kind == 1:
            assert struct.unpack("<H", block.body[:2])[0] == SLL2
            length = struct.unpack("<H", block.body[10:12])[0]
            nodes.append(block.body[12 : 12 + length].decode())
        elif block.kind == 6:
            number, _, _, kept, _ = struct.unpack("<IIIII", block.body[:20])
            if found := ends(block.body[20 : 20 + kept]):
                yield nodes[number], found


def test_a_recording_has_the_brewery_of_both_nodes_and_the_crowds_secrets(
    lab: Lab, tmp_path: Path
) -> None:
    file, keys = tmp_path / "out.pcapng", tmp_path / "keys.log"
    words = ["capture", "jms", "jvb1", "-f", "brewery", "-f", "https", "-w", file]
    words += ["--tls-keys", keys, "--seconds", str(SECONDS), "--lab", lab.name]
    with subprocess.Popen([LABCTL, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        for node in ("jms", "jvb1"):
            assert node in child.stderr.readline()
        lab.run("crowd", "--participants", "2", "--hold", "1", "--tls-keys", str(keys))
        assert child.wait(60) == 0, child.stderr.read()
    jms, jvb1 = "192.168.56.105", "192.168.56.106"
    found = {
        (node, source, target)
        for node, (source, out, target, to) in seen(file)
        if 5222 in (out, to) and source != target
    }
    assert {
        (node, *pair) for node in ("jms", "jvb1") for pair in ((jms, jvb1), (jvb1, jms))
    } <= found
    assert not lab.run("exec", "jms", "--", "pgrep", "tcpdump", check=False).out
    kinds = [block.kind for block in blocks(file.read_bytes())]
    assert 10 in kinds
    if tshark := shutil.which("tshark"):
        said = subprocess.run(
            [tshark, "-r", file, "-Y", "http.request or websocket"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert "GET /xmpp-websocket" in said
        assert "WebSocket Text" in said
