"""What a deployment for N participants takes by upstream's rules, and what of it runs here."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from labctl.core.plain import to_plain
from labctl.crowd.needs import MAX_VISITORS, CrowdNeeds, crowd_needs
from labctl.lab.fit import gib, memory_mib, nodes_of
from labctl.topology.spec import MAX_JVBS, MAX_VNODES, Spec

VISITORS_PER_VNODE = 2000
PARTICIPANTS_PER_BRIDGE = 200
BRIDGE_CORES, MAIN_CORES, VNODE_CORES = 8, 8, 1
GIB_EACH = 8
CROWD_RATE = 100
"""How many of a crowd begin to join a second: more than two cores let in, so it adds no time."""

PEOPLE_PER_PROCESS = 1000
"""What one process of a crowd has without being busy all the time; docs/crowd.md."""

MEMORY_STEP_MIB = 256
README = "jitsi-meet, resources/extra-large-conference/README.md"
HANDBOOK = "Jitsi's handbook, scalable.md and requirements.md"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of upstream's, and who says so."""

    rule: str
    source: str


RULES = (
    Rule(f"A vnode takes {VISITORS_PER_VNODE:,} visitors.", README),
    Rule(
        f"10,000 viewers take about 50 bridges of {BRIDGE_CORES} cores:"
        f" {PARTICIPANTS_PER_BRIDGE} a bridge.",
        README,
    ),
    Rule(
        f"The main Prosody, nginx and Jicofo take {MAIN_CORES} cores together"
        " (of a JMS with 16, that has 8 vnodes).",
        README,
    ),
    Rule(f"A Prosody uses one core, so a vnode takes {VNODE_CORES}.", HANDBOOK),
    Rule(f"A JMS and a bridge have {GIB_EACH} GB of memory each.", HANDBOOK),
)
"""Cited in docs/facts/operations.md, 2.  They are of 2022, and above upstream's defaults."""

DEFAULTS = (
    ("jicofo.visitors.max-visitors-per-node", 500, VISITORS_PER_VNODE),
    ("jicofo.bridge.max-bridge-participants", 80, PARTICIPANTS_PER_BRIDGE),
)
"""Settings of Jicofo with the defaults of its reference.conf, and what the rules need."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that must be raised above its default."""

    name: str
    default: int
    needed: int


@dataclass(frozen=True, slots=True)
class HereCrowd:
    """So many people in that lab, as a crowd without media.

    `settings` are the lines of lab.conf that give its nodes the memory, `why_not` says what makes
    it impossible here, or is empty.
    """

    needs: CrowdNeeds
    settings: tuple[str, ...]
    command: str
    why_not: str


@dataclass(frozen=True, slots=True)
class Here:
    """What of a deployment this machine can run: the shape, with machines as small as they go.

    `flags` are empty if not even the smallest lab fits; `crowd` is None if not all vnodes fit.
    """

    cores: int
    available_mib: int
    jvbs: int
    vnodes: int
    needs_mib: int
    flags: str
    whole: bool
    crowd: HereCrowd | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """The machines for so many participants."""

    participants: int
    main: int
    visitors: int
    bridges: int
    vnodes: int
    jms_cores: int
    cores: int
    memory_gib: int
    rules: tuple[Rule, ...]
    settings: tuple[Setting, ...]
    here: Here

    def to_json(self) -> dict[str, Any]:
        """Plain data for programs."""
        data: dict[str, Any] = to_plain(self)
        return data


def plan_deployment(
    participants: int, spec: Spec, *, available: int, cores: int | None = None
) -> Deployment:
    """Size a deployment; those above `max-participants` of the spec are visitors."""
    main = min(participants, spec.max_participants)
    visitors = participants - main
    bridges = -(-participants // PARTICIPANTS_PER_BRIDGE)
    vnodes = -(-visitors // VISITORS_PER_VNODE)
    jms_cores = MAIN_CORES + vnodes * VNODE_CORES
    return Deployment(
        participants=participants,
        main=main,
        visitors=visitors,
        bridges=bridges,
        vnodes=vnodes,
        jms_cores=jms_cores,
        cores=jms_cores + bridges * BRIDGE_CORES,
        memory_gib=(1 + bridges) * GIB_EACH,
        rules=RULES,
        settings=_settings(visitors=visitors, vnodes=vnodes, participants=participants),
        here=_here(
            spec,
            bridges,
            vnodes,
            people=(main, visitors),
            available=available,
            cores=cores or os.cpu_count() or 1,
        ),
    )


def _settings(*, visitors: int, vnodes: int, participants: int) -> tuple[Setting, ...]:
    """Those whose default is less than what each vnode or bridge gets."""
    loads = (-(-visitors // vnodes) if vnodes else 0, min(participants, PARTICIPANTS_PER_BRIDGE))
    return tuple(
        Setting(name, default, needed)
        for (name, default, needed), load in zip(DEFAULTS, loads, strict=True)
        if load > default
    )


def _here(
    spec: Spec,
    bridges: int,
    vnodes: int,
    *,
    people: tuple[int, int],
    available: int,
    cores: int,
) -> Here:
    """The largest part that fits into memory: vnodes first, because they are smaller."""
    # One bridge is the JMS's own.
    jvbs, wanted = min(max(bridges - 1, 0), MAX_JVBS), min(vnodes, MAX_VNODES)
    small = replace(spec, small=True, sizes={}, jvbs=0, visitors=0)
    best = small
    for count in range(wanted + 1):
        if memory_mib(tried := replace(small, visitors=count)) <= available:
            best = tried
    for count in range(jvbs + 1):
        if memory_mib(tried := replace(best, jvbs=count)) <= available:
            best = tried
    needs = memory_mib(best)
    flags = f"--small --jvbs {best.jvbs} --visitors {best.visitors}" if needs <= available else ""
    whole = bool(flags) and best.jvbs + 1 >= bridges and best.visitors == vnodes
    crowd = None
    if flags and best.visitors == vnodes:
        crowd = _crowd(best, people, available=available, cores=cores)
    return Here(cores, available, best.jvbs, best.visitors, needs, flags, whole, crowd)


def _crowd(lab: Spec, people: tuple[int, int], *, available: int, cores: int) -> HereCrowd:
    """The crowd in a lab with one bridge: without media, the others do nothing for it."""
    main, visitors = people
    nodes = nodes_of(replace(lab, jvbs=0))
    needs = crowd_needs(nodes, participants=main, visitors=visitors, rate=CROWD_RATE, cores=cores)
    memory = {
        need.role: -(-need.needed // MEMORY_STEP_MIB) * MEMORY_STEP_MIB for need in needs.too_small
    }
    whole = needs.crowd_mib + sum(memory.get(it.role, it.size.memory_mib) for it in nodes)
    command = f"labctl crowd --participants {main} --visitors {visitors} --rate {CROWD_RATE}/s"
    processes = min(cores, -(-visitors // PEOPLE_PER_PROCESS))
    if processes > 1:
        command += f" --processes {processes}"
    why_not = ""
    if visitors > MAX_VISITORS:
        why_not = f"a crowd has at most {MAX_VISITORS:,} visitors"
    elif needs.seconds is None:
        why_not = f"their pings alone take {needs.ping_cores:.1f} of {cores} cores"
    elif whole > available:
        why_not = f"nodes and crowd take {gib(whole)} of memory"
    settings = tuple(f"roles.{role}.memory = {mib} MiB" for role, mib in memory.items())
    return HereCrowd(needs, settings, command, why_not)
