"""The engines of several machines, joined by a swarm: what each says, and whether a lab can use it.

labctl makes no swarm and joins no machine to one: that changes a machine for everybody who uses its
engine, and takes a secret that `docker swarm join` wants as an argument.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.core.checks import Check, CheckStatus, refused
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.process import run
from labctl.core.waiting import Deadline, wait_until
from labctl.providers.docker.command import docker, environ_of
from labctl.providers.docker.kind import EngineKind, kind_of
from labctl.providers.docker.machines import on_all
from labctl.topology.hosts import HERE, host_name

ASK_SECONDS = 30.0
READY = "ready"
READY_SECONDS = 20.0
"""How long a machine that answers may take to be ready for the swarm's manager."""

INIT_HINT = (
    "Run here: docker swarm init --advertise-addr ADDRESS, with this machine's address in the"
    " network of the other machines."
)
JOIN_HINT = "Run on that machine what 'docker swarm join-token worker' prints here."


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What the engine of a machine says of itself; `node` is its id in the swarm, if it has one."""

    host: str
    version: str
    kind: EngineKind
    architecture: str
    cpus: int
    memory_mib: int
    node: str
    manages: bool


def read_facts(host: str) -> HostFacts:
    """Ask the engine of a machine.  Errors: LabError if it does not answer."""
    words = ["docker", "info", "--format", "{{json .}}"]
    said = run(words, env=environ_of(host), check=False, timeout=ASK_SECONDS)
    return parse_facts(said.output, host=host, errors=said.errors)


def parse_facts(text: str, *, host: str, errors: str = "") -> HostFacts:
    """Facts from `docker info --format '{{json .}}'`, which may exit 0 without an engine."""
    try:
        data: Mapping[str, Any] = json.loads(text)
    except ValueError:
        data = {}
    if not data.get("ServerVersion"):
        why = " ".join(data.get("ServerErrors") or [errors.strip() or text.strip() or "no answer"])
        raise LabError(
            f"The Docker engine of machine '{host_name(host)}' does not answer: {why}",
            hint=f"Run 'DOCKER_HOST={host} docker info' until it answers without a question: ssh"
            " needs a key, the machine's host key, and a user who may use Docker there.",
            finding=Finding.HOST_SILENT,
        )
    swarm = data.get("Swarm") or {}
    return HostFacts(
        host=host,
        version=data["ServerVersion"],
        kind=kind_of(data),
        architecture=data.get("Architecture", ""),
        cpus=int(data.get("NCPU", 1)),
        memory_mib=int(data.get("MemTotal", 0)) // 1024**2,
        node=swarm.get("NodeID", "") if swarm.get("LocalNodeState") == "active" else "",
        manages=bool(swarm.get("ControlAvailable")),
    )


def read_members() -> dict[str, str]:
    """The states of all machines of the swarm, such as 'ready', by their ids in it."""
    text = docker("node", "ls", "--format", "{{.ID}}\t{{.Status}}")
    pairs = (line.split("\t") for line in text.splitlines())
    return {node: state.lower() for node, state in pairs}


def wait_members(nodes: Sequence[str], *, seconds: float = READY_SECONDS) -> dict[str, str]:
    """The states of all members, as soon as those of `nodes` that are members are ready.

    A machine that was cut off answers before the manager has heard of it again.
    """
    members: dict[str, str] = {}

    def ready() -> bool:
        members.update(read_members())
        return all(members.get(node, READY) == READY for node in nodes)

    wait_until(ready, deadline=Deadline.after(seconds), interval=0.5)
    return members


def check_swarm(hosts: Sequence[str]) -> dict[str, HostFacts]:
    """The facts of all machines; `hosts` begins with this one.

    Errors: LabError for the first that does not answer, is not in this machine's swarm, or cannot
    run the images that are made here.
    """
    facts = on_all(hosts, read_facts)
    here = facts[HERE]
    refuse_here(here)
    members = wait_members([each.node for each in facts.values()])
    for each in facts.values():
        if (error := refuse_member(each, here=here, members=members)) is not None:
            raise error
    return facts


def refuse_here(here: HostFacts) -> None:
    """Refuse an engine of this machine that cannot make a network for several (LabError)."""
    if not here.manages:
        state = "is in a swarm, but does not manage it" if here.node else "is in no swarm"
        raise LabError(
            f"This machine's Docker engine {state}, and 'hosts' needs a swarm's manager here.",
            hint=INIT_HINT,
            finding=Finding.SWARM_MISSING,
        )


def refuse_member(
    each: HostFacts, *, here: HostFacts, members: Mapping[str, str]
) -> LabError | None:
    """Why a machine cannot have nodes of the lab; None if it can."""
    name = host_name(each.host)
    if each.kind is not EngineKind.DOCKER:
        return LabError(
            f"Machine '{name}' has {each.kind}, and a lab's nodes need the system's Docker engine.",
            hint="Install the package 'docker.io' there.",
            finding=Finding.HOST_SILENT,
        )
    if each.node not in members:
        return LabError(
            f"Machine '{name}' is not in the swarm of this machine.",
            hint=JOIN_HINT,
            finding=Finding.SWARM_MISSING,
        )
    if members[each.node] != READY:
        return LabError(
            f"Machine '{name}' is '{members[each.node]}' for the swarm's manager here.",
            hint="Ports 2377/tcp, 7946/tcp, 7946/udp and 4789/udp must be open between the"
            " machines; 'docker node ls' shows what the manager sees.",
            finding=Finding.SWARM_MISSING,
        )
    if each.architecture != here.architecture:
        return LabError(
            f"Machine '{name}' is {each.architecture}, and images are made for"
            f" {here.architecture} here.",
            hint="Use machines of one architecture.",
            finding=Finding.HOST_SILENT,
        )
    return None


def check_hosts(hosts: Sequence[str]) -> list[Check]:
    """The checks of `labctl doctor` for the machines of a lab; changes nothing."""
    machines = (HERE, *(host for host in hosts if host != HERE))
    answers = on_all(machines, _facts_or_error)
    here = answers[HERE]
    if isinstance(here, LabError):
        return [refused(_title(HERE), here, otherwise=Finding.HOST_SILENT)]
    try:
        refuse_here(here)
        members = read_members()
    except LabError as error:
        return [refused(_title(HERE), error, otherwise=Finding.SWARM_MISSING)]
    return [_judge(host, answer, here=here, members=members) for host, answer in answers.items()]


def _facts_or_error(host: str) -> HostFacts | LabError:
    try:
        return read_facts(host)
    except LabError as error:
        return error


def _judge(
    host: str, answer: HostFacts | LabError, *, here: HostFacts, members: Mapping[str, str]
) -> Check:
    error = (
        answer
        if isinstance(answer, LabError)
        else refuse_member(answer, here=here, members=members)
    )
    if error is not None or isinstance(answer, LabError):
        assert error is not None
        return refused(_title(host), error, otherwise=Finding.HOST_SILENT)
    found = (
        f"{answer.version}, {answer.cpus} CPUs, {answer.memory_mib / 1024:.1f} GiB of memory,"
        f" {'manages the swarm' if answer.manages else 'in the swarm'}"
    )
    return Check(_title(host), CheckStatus.OK, found)


def _title(host: str) -> str:
    return f"machine {host_name(host)}"
