"""What an exercise is told of the lab on which it runs: names and addresses.

{domain} {jms} {host} {network} {bridges} {vnodes} {next}    in exercise.toml and its pages
$domain $jms $host $node $address $vnodes $next              in scripts
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from labctl.core.errors import LabError
from labctl.topology.lab import Lab
from labctl.topology.model import Node, Topology, VNode
from labctl.training.exercise import Exercise

NINTH = 9
SPARE_HOST = 250
"""The last part of an address in the lab's network that no node has."""


def variables(topology: Topology) -> dict[str, str]:
    """Names and addresses of a lab.  `next` is the number of a vnode that it does not have: the
    ninth, or the next one if it has more."""
    numbers = [vnode.index for vnode in topology.vnodes]
    number = max([NINTH, *(index + 1 for index in numbers)])
    extra = VNode(number)
    return {
        "lab": topology.lab,
        "domain": topology.domain,
        "jms": str(topology.jms.address),
        "host": str(topology.host_address),
        "network": str(topology.network),
        "spare": str(topology.network[SPARE_HOST]),
        "bridges": " ".join(topology.bridges),
        "vnodes": " ".join(vnode.name for vnode in topology.vnodes),
        "visitors": str(_visitors(topology)),
        "next": str(number),
        "next_c2s": str(extra.c2s_port),
        "next_s2s": str(extra.s2s_port),
        "next_http": str(extra.http_port),
        "seats": str(topology.spec.max_participants),
    }


def _visitors(topology: Topology) -> object:
    """The address of the first vnode."""
    return next((node.vnode_address for _, node in topology.vnode_nodes()), "")


def words(lab: Lab, text: str) -> str:
    """A text with the lab's names and addresses in the place of `{domain}` and so on."""
    known = variables(lab.topology)
    return re.sub(r"\{([a-z_0-9]+)\}", lambda found: known.get(found[1], found[0]), text)


def prelude(lab: Lab, node: Node, *, notes: Mapping[str, str], mark: str = "note_") -> str:
    """Shell text that sets the variables of a script; notes of earlier steps begin with `mark`."""
    own = {"node": node.name, "address": str(node.address), "bridge": node.bridge or ""}
    noted = {f"{mark}{name}": value for name, value in notes.items()}
    found = variables(lab.topology) | own | noted
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in found.items())


def holder_of(lab: Lab, name: str) -> Node:
    """The node of that name, or the one that holds the vnode of that name.

    Errors: LabError if the lab has neither."""
    for node in lab.topology.nodes:
        if name == node.name or name in {vnode.name for vnode in node.vnodes}:
            return node
    raise LabError(f"Lab '{lab.topology.lab}' has no node or vnode '{name}'.")


def check_needs(lab: Lab, exercise: Exercise) -> None:
    """Refuse an exercise for which the lab is too small.  Errors: LabError with what to do."""
    topology, most = lab.topology, exercise.most_vnodes
    bridges, vnodes = len(topology.bridges), len(topology.vnodes)
    wanted = []
    if bridges < exercise.bridges:
        wanted.append(f"--jvbs {exercise.bridges - 1}")
    if vnodes < exercise.vnodes:
        wanted.append(f"--visitors {exercise.vnodes}")
    if most is not None and vnodes > most:
        wanted.append(f"--visitors {most}")
    if wanted:
        raise LabError(
            f"Exercise '{exercise.name}' needs {_needs(exercise)}; lab '{topology.lab}' has"
            f" {bridges} bridges and {vnodes} vnodes.",
            hint=f"Run 'labctl up --lab {topology.lab} {' '.join(wanted)}'.",
        )


def _needs(exercise: Exercise) -> str:
    most = f", at most {exercise.most_vnodes}" if exercise.most_vnodes is not None else ""
    return f"{exercise.bridges} bridges and {exercise.vnodes} vnodes{most}"
