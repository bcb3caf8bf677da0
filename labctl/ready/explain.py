"""Why a bridge's address does not answer: asked of the node that has it, and of this machine.

A lab's own firewall, this machine's, a bridge that listens elsewhere and an address that nobody
has look the same to a participant: silence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.privilege import find_program
from labctl.core.process import run
from labctl.crowd.media import MediaProblem, MediaStage
from labctl.node.reach import reach
from labctl.node.script import sectioned
from labctl.node.seam import NodeError
from labctl.ready.firewall import Chain, Datagram, find_block
from labctl.ready.rulesets import parse_iptables, parse_nft
from labctl.topology.lab import Lab
from labctl.topology.model import Node

SILENT = (MediaStage.NO_ANSWER, MediaStage.BLOCKED, MediaStage.DTLS, MediaStage.NO_PACKETS)
ANY_PORT = 50000
"""Where a participant's sockets are: the kernel chooses, and hardly a rule asks."""
SECONDS = 10.0
_ASK = sectioned("""
section nft; nft -j list ruleset 2>/dev/null
section iptables; iptables-save 2>/dev/null
section listeners; ss -lunH
""")


def explain(lab: Lab, problem: MediaProblem) -> Iterator[str]:
    """Sentences on what the node's and this machine's rules say of the address that is silent."""
    if problem.stage not in SILENT or not problem.address:
        return
    node = next((n for n in lab.topology.nodes if str(n.address) == problem.address), None)
    if node is None:
        yield (
            f"No node of the lab has the address {problem.address}: "
            "the bridge offers an address that nobody can reach."
        )
        return
    found = [*_of_host(lab, problem), *_of_node(lab, node, problem)]
    yield from found or [
        f"No rule of node '{node.name}' or of this machine is known to drop it, "
        f"and something listens on {problem.port}/udp there."
    ]


def _of_node(lab: Lab, node: Node, problem: MediaProblem) -> Iterator[str]:
    try:
        answer = reach(lab).run(node.name, _ASK, sudo=True, seconds=SECONDS, check=False)
    except NodeError as error:
        yield f"Node '{node.name}' could not be asked for its rules: {error.message}"
        return
    told = answer.sections
    chains = [*parse_nft(told.text("nft")), *parse_iptables(told.text("iptables"))]
    yield from blocks(
        chains, f"node '{node.name}'", inward=_to_bridge(lab, problem), outward=_back(lab, problem)
    )
    if not listens(told.text("listeners"), problem.port):
        yield f"Nothing listens on {problem.port}/udp on node '{node.name}'."


def _of_host(lab: Lab, problem: MediaProblem) -> Iterator[str]:
    chains = host_chains()
    if chains is None:
        yield "This machine's own firewall could not be read: that needs root."
        return
    yield from blocks(
        chains, "this machine", inward=_back(lab, problem), outward=_to_bridge(lab, problem)
    )


def blocks(chains: list[Chain], who: str, *, inward: Datagram, outward: Datagram) -> Iterator[str]:
    """What a machine's rules drop of what comes to it and of what leaves it."""
    for hook, datagram in (("input", inward), ("output", outward)):
        block = find_block(chains, hook, datagram)
        if block is not None:
            way = f"to {datagram.target}:{datagram.target_port}"
            if datagram.answer:
                way = f"from {datagram.source}:{datagram.source_port}"
            yield f"The firewall of {who} drops UDP {way}: {block}."


def listens(sockets: str, port: int) -> bool:
    """Whether `ss -lunH` shows somebody at this port."""
    fields = (line.split() for line in sockets.splitlines())
    return any(len(words) > 3 and words[3].rpartition(":")[2] == str(port) for words in fields)


def _to_bridge(lab: Lab, problem: MediaProblem) -> Datagram:
    return Datagram(str(lab.topology.host_address), ANY_PORT, problem.address, problem.port)


def _back(lab: Lab, problem: MediaProblem) -> Datagram:
    host = str(lab.topology.host_address)
    return Datagram(problem.address, problem.port, host, ANY_PORT, answer=True)


def host_chains() -> list[Chain] | None:
    """This machine's own chains; None if they may not be read."""
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    found: list[Chain] = []
    asked = False
    for name, arguments, parse in (
        ("nft", ["-j", "list", "ruleset"], parse_nft),
        ("iptables-save", [], parse_iptables),
    ):
        program = find_program(name)
        if program is None:
            continue
        with suppress(LabError):
            result = run([*sudo, Path(program), *arguments], timeout=SECONDS, check=False)
            if result.code == 0:
                asked = True
                found += parse(result.output)
    return found if asked else None
