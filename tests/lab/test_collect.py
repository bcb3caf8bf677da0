"""Logs of all nodes: what is written, and how it is read again."""

from __future__ import annotations

from labctl.core.progress import silent
from labctl.lab.collect import collect_logs, node_log
from labctl.node.sections import parse_sections
from labctl.report.logs import parse_node
from labctl.topology.lab import Lab
from tests.fakes.nodes import FakeNodes


def test_a_node_that_is_silent_leaves_a_file_that_says_so(lab: Lab, nodes: FakeNodes) -> None:
    for node in ("jms", "visitors1"):
        nodes.says(node, {"sockets": f"{node}\n"}, to="section journal")
    nodes.silence("jvb1", "No route to host")
    folder = collect_logs(lab, progress=silent)
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert parse_sections(texts["jms.log"]).lines("sockets") == ["jms"]
    assert texts["jvb1.log"] == "Node 'jvb1' cannot be reached by ssh: No route to host.\n"
    assert all(ran.sudo for ran in nodes.ran)


def test_what_is_collected_is_what_reports_read(lab: Lab, nodes: FakeNodes) -> None:
    clock = "clock 1795270700.100000000 +0000 asked 1795270700.000"
    line = "Jicofo 2026-11-21 14:14:41.943 SEVERE: [44] It broke.\n"
    nodes.says("jms", {clock: "", "/var/log/jitsi/jicofo.log": line, "sockets": line})
    (entry,) = parse_node(node_log(lab, "jms"), node="jms")
    assert (entry.source, entry.level, entry.text) == ("jicofo", "error", "[44] It broke.")
