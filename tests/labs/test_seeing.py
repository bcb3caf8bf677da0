"""Looking at a real lab: its plan is what `up` does, its packets are who says what to whom."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from labctl.core.waiting import Deadline, wait_until
from labctl.render.services import CLASS_PAGE
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


@contextmanager
def serving(lab: Lab) -> Iterator[subprocess.Popen[str]]:
    """`labctl serve --class`, once it has said where the class's page is."""
    words = [LABCTL, "serve", "--class", "--listen", "0", "--lab", lab.name]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            said = [child.stdout.readline().strip() for _ in range(2)]
            assert said[1] == f"https://{lab.topology()['spec']['domain']}/lab/"
            yield child
        finally:
            child.terminate()


def get(lab: Lab, path: str, *, method: str = "GET") -> tuple[int, dict[str, str], str]:
    """As a student's browser, which trusts the lab's CA."""
    topology = lab.topology()
    [jms] = [node for node in topology["nodes"] if node["name"] == "jms"]
    trust = ssl.create_default_context(cafile=lab.path / "ca" / "ca.crt")
    domain = topology["spec"]["domain"]
    link = http.client.HTTPSConnection(domain, context=trust)
    raw = socket.create_connection((jms["address"], 443), timeout=10)
    link.sock = trust.wrap_socket(raw, server_hostname=domain)
    try:
        link.request(method, path)
        answer = link.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        link.close()


def gone(lab: Lab) -> bool:
    out = lab.run("exec", "jms", "--", "ls", "/run").out
    return Path(CLASS_PAGE).name not in out.split()


def wait(check: Callable[[], bool]) -> None:
    assert wait_until(check, deadline=Deadline.after(30), interval=0.2)


def test_a_class_reads_the_page_on_the_jms_and_nothing_stays(lab: Lab) -> None:
    """Also after labctl was killed; the tenant 'lab' has its rooms all the time."""
    before = lab.starts()
    with serving(lab) as child:
        status, headers, page = get(lab, "/lab/")
        assert (status, "app.js" in page) == (200, True)
        assert "trusted-types" in headers["Content-Security-Policy"]
        assert "javascript" in get(lab, "/lab/app.js")[1]["Content-Type"]

        def state() -> Any:
            _, headers, body = get(lab, "/lab/api/state")
            assert headers["Content-Type"] == "application/json"
            return json.loads(body)["snapshot"]

        first = state()
        wait(lambda: state()["complete"] and state()["at"] > first["at"])
        found = state()
        assert found["healthy"] and found["advice"] == []
        told = json.dumps([found, json.loads(get(lab, "/lab/api/records")[2])])
        assert str(lab.path) not in told and str(ROOT) not in told
        assert get(lab, "/lab/api/state", method="POST")[0] == 405
        assert "var subdir = 'lab/'" in get(lab, "/lab/room")[2]
        second = lab.run("serve", "--class", "--listen", "0", check=False)
        assert second.code == 1 and "Another 'labctl serve --class'" in second.err
        child.kill()
    wait(lambda: gone(lab))
    assert "app.js" not in get(lab, "/lab/")[2]
    with serving(lab) as child:
        assert get(lab, "/lab/api/state")[0] == 200
    assert child.returncode == 0 and gone(lab)
    lab.run("up")
    assert lab.starts() == before


def test_visitors_from_two_processes_are_one_crowd(lab: Lab) -> None:
    words = ("--participants", "2", "--visitors", "6", "--processes", "2", "--hold", "1", "--json")
    told = lab.run("crowd", *words).json()
    assert (told["well"], told["joined"], told["processes"]) == (True, 8, 2)
    assert sum(told["redirected"].values()) == 6 and told["phases"]["all"]["count"] == 8


def test_who_is_on_which_bridge_and_vnode(lab: Lab) -> None:
    """By name, as Jicofo tells it: a conference has its bridge, a visitor its vnode."""
    words = ["crowd", "--participants", "2", "--visitors", "3", "--hold", "60", "--lab", lab.name]
    with subprocess.Popen([LABCTL, *words], cwd=ROOT, stderr=subprocess.DEVNULL) as crowd:
        try:
            seen: dict[str, Any] = {}

            def all_there() -> bool:
                seen.update(lab.run("watch", "--json", check=False).json())
                return len(named(seen["vnodes"])) == 3 and len(named(seen["bridges"])) == 5

            wait(all_there)
        finally:
            crowd.terminate()
    [conference] = seen["conferences"]
    visitors = {it["id"]: it["vnode"] for it in conference["people"] if it["visitor"]}
    assert named(seen["vnodes"]) == visitors
    assert all(it.startswith("v") for it in visitors.values())
    assert named(seen["bridges"]) == {it["id"]: it["bridge"] for it in conference["people"]}


def named(places: list[dict[str, Any]]) -> dict[str, str]:
    """The people of bridges or vnodes, each with the name of the place."""
    return {
        id: place.get("nick") or place["name"]
        for place in places
        for group in place["present"]["groups"]
        for id in group["ids"]
    }
