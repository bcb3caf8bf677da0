"""What is wrong with a lab that runs, in words: known mistakes, where they were found, the cure.

Everything is asked at once: what readiness asks, what labctl placed and somebody changed, each
bridge's own words, and media.  A finding has an id, under which docs/troubleshooting.md has it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from labctl.core.errors import LabError
from labctl.core.findings import PAGE, Finding
from labctl.core.progress import Progress
from labctl.crowd.media import MediaProblem
from labctl.lab.mistakes import LOG_WORDS, SIGNAL_RULES, UP_AGAIN, Diagnosis
from labctl.node.reach import reach
from labctl.node.script import Work, sectioned
from labctl.node.seam import try_all
from labctl.node.sections import Sections
from labctl.ready.explain import explain
from labctl.ready.media import ATTEMPT_SECONDS, prove_media
from labctl.ready.probe import NodeState
from labctl.ready.signals import Signal, Validity, judge_signals
from labctl.ready.wait import probe_all
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.roles import BRIDGE, JICOFO
from provision.run import changed_files

MEDIA_SECONDS = 8.0
CLOCK_SECONDS = 5.0
"""Clocks that differ by more make log lines useless and, by minutes, tokens invalid."""

_ASK_BRIDGE = sectioned(f"""
section health; curl -s -m 4 http://127.0.0.1:8080/about/health
section state; systemctl show -P ActiveState {BRIDGE.name}
section muc; sed -n 's/.*MUC_JIDS *= *"\\{{0,1\\}}\\([^" ]*\\).*/\\1/p' {BRIDGE.configs[0].path}
section said; tail -n 500 {BRIDGE.error_log} | grep -E 'WARN|SEVERE|ERROR' | tail -n 60
""")
_ASK_BREWERY = sectioned(f"""
section brewery
sed -n 's/.*brewery-jid *= *"\\{{0,1\\}}\\([^" ]*\\).*/\\1/p' {JICOFO.configs[0].path}
""")


@dataclass(frozen=True, slots=True)
class BridgeEvidence:
    """What a bridge says of itself; `mucs` are the rooms that its configuration names."""

    active: bool = True
    health: str = ""
    mucs: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found in a lab; `changed` are paths of files that are not as labctl placed them."""

    states: Mapping[str, NodeState] = field(default_factory=dict)
    signals: tuple[Signal, ...] = ()
    bridges: Mapping[str, BridgeEvidence] = field(default_factory=dict)
    """By the node's name."""
    brewery: str = ""
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    media: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Each problem of media, with the sentences that explain it."""
    asked: tuple[float, float] = (0.0, 0.0)
    """Between which times, in seconds since 1970, the nodes were asked for theirs."""


def diagnose(lab: Lab, *, progress: Progress) -> list[Diagnosis]:
    """Every known mistake that a running lab shows; empty if none is found.

    Errors: LabError if the lab has no secrets or its rendered files are gone.
    """
    return find_mistakes(lab, gather(lab, progress=progress))


def gather(lab: Lab, *, progress: Progress, media: bool = True) -> Evidence:
    """Ask every node; with `media`, let people try to hear each other meanwhile."""
    progress("doctor", "asking the nodes, and trying media ...")
    bridges = [node.name for node in lab.topology.nodes if node.bridge is not None]
    with ThreadPoolExecutor(max_workers=4) as pool:
        states = pool.submit(_timed_probe, lab)
        told = pool.submit(try_all, bridges, lambda name: _ask(lab, name, _ASK_BRIDGE))
        brewery = pool.submit(try_all, [lab.topology.jms.name],
                              lambda name: _ask(lab, name, _ASK_BREWERY))  # fmt: skip
        changed = pool.submit(changed_files, lab)
        heard = try_media(lab, seconds=MEDIA_SECONDS, progress=progress) if media else ()
        seen, asked = states.result()
        answers = {name: one for name, one in told.result().items() if isinstance(one, Sections)}
        room = next(iter(brewery.result().values()))
        signals = judge_signals(lab.topology, seen, validity=Validity.of(lab.folder))
        return Evidence(
            seen,
            tuple(signals),
            {name: parse_bridge(one) for name, one in answers.items()},
            room.text("brewery").strip() if isinstance(room, Sections) else "",
            changed.result(),
            heard,
            asked,
        )


def _timed_probe(lab: Lab) -> tuple[dict[str, NodeState], tuple[float, float]]:
    began = time.time()
    return probe_all(lab, lab.topology.nodes), (began, time.time())


def _ask(lab: Lab, node: str, work: Work) -> Sections:
    return reach(lab).run(node, work, sudo=True, seconds=15.0, check=False).sections


def parse_bridge(told: Sections) -> BridgeEvidence:
    """The evidence in a bridge's answer."""
    return BridgeEvidence(
        told.text("state").strip() == "active",
        told.text("health").strip(),
        tuple(line.strip() for line in told.lines("muc") if line.strip()),
        tuple(told.lines("said")),
    )


def try_media(
    lab: Lab, *, seconds: float, progress: Progress, attempt: float = ATTEMPT_SECONDS
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    try:
        proof = prove_media(lab, seconds=seconds, progress=progress, attempt=attempt)
    except LabError as error:
        return ((error.message, ()),)
    found = []
    for problem in proof.problems:
        why = explain(lab, problem) if isinstance(problem, MediaProblem) else ()
        found.append((problem.message, tuple(why)))
    return tuple(found)


# -- rules: values in, values out --------------------------------------------------------------


def find_mistakes(lab: Lab, evidence: Evidence) -> list[Diagnosis]:
    """The mistakes that the evidence shows, the causes before what follows from them."""
    found = [
        *_signals(evidence.signals),
        *_clocks(lab.topology.nodes, evidence),
        *_changed(evidence.changed),
    ]
    known = evidence.states[lab.topology.jms.name].bridges
    for node in lab.topology.nodes:
        if node.name in evidence.bridges:
            found += _bridge(
                node, evidence.bridges[node.name], known=known, brewery=evidence.brewery
            )
    found += media_mistakes(evidence.media)
    return found


def _signals(signals: Iterable[Signal]) -> Iterator[Diagnosis]:
    for signal in signals:
        if not signal.ok and (rule := SIGNAL_RULES.get(signal.name.split()[-1])):
            id, cure = rule
            yield Diagnosis(id, signal.name.split()[0], f"{signal.name}: {signal.seen}.", cure)


def _clocks(nodes: Iterable[Node], evidence: Evidence) -> Iterator[Diagnosis]:
    first, last = evidence.asked
    for node in nodes:
        state = evidence.states.get(node.name)
        clock = state.clock if state is not None else None
        if clock is None or first - CLOCK_SECONDS <= clock <= last + CLOCK_SECONDS:
            continue
        off = clock - last if clock > last else clock - first
        says = f"The clock of '{node.name}' is {abs(off):.0f} s {'fast' if off > 0 else 'slow'}."
        cure = f"labctl exec {node.name} -- sudo date -u -s @$(date +%s)"
        yield Diagnosis(Finding.CLOCK_OFF, node.name, says, cure)


def _changed(changed: Mapping[str, tuple[str, ...]]) -> Iterator[Diagnosis]:
    for name, paths in changed.items():
        for path in paths:
            says = f"'{path}' on '{name}' is not as labctl placed it."
            yield Diagnosis(Finding.FILE_CHANGED, name, says, UP_AGAIN)


def _bridge(
    node: Node, bridge: BridgeEvidence, *, known: Collection[str], brewery: str
) -> Iterator[Diagnosis]:
    if not bridge.active:
        return  # said by the signal of its units
    if "No valid IP addresses" in bridge.health:
        says = f"The bridge '{node.bridge}' is unhealthy: it finds no address that it may offer."
        yield Diagnosis(
            Finding.BRIDGE_NO_ADDRESS, node.name, says,
            "See 'ice4j.harvest' in jvb.conf: private addresses must be allowed, or mapped.",
        )  # fmt: skip
    if node.bridge in known:
        return
    wrong = [room for room in bridge.mucs if room.lower() != brewery.lower()]
    if wrong and brewery:
        says = (
            f"The bridge '{node.bridge}' joins the room '{wrong[0]}', and Jicofo looks for bridges"
            f" in '{brewery}'."
        )
        cure = f"MUC_JIDS in jvb.conf and brewery-jid in jicofo.conf must agree. {UP_AGAIN}"
        yield Diagnosis(Finding.WRONG_BREWERY, node.name, says, cure)
        return
    for words in LOG_WORDS:
        line = next((one for one in bridge.said if re.search(words.pattern, one)), None)
        if line is not None:
            says = f"The bridge '{node.bridge}' is not in the brewery: {words.says}."
            yield Diagnosis(words.id, node.name, says, words.cure)
            return
    says = f"The bridge '{node.bridge}' runs and is not in the brewery; its log does not say why."
    yield Diagnosis(Finding.BRIDGE_ABSENT, node.name, says, f"labctl logs {node.name} | less")


def media_mistakes(problems: Iterable[tuple[str, tuple[str, ...]]]) -> Iterator[Diagnosis]:
    for problem, why in problems:
        cure = (
            "Remove the rule that is named. If none is, see which address the bridge offers and"
            " whether participants can reach it."
        )
        yield Diagnosis(Finding.MEDIA_SILENT, "media", " ".join((problem, *why)), cure)


def render_diagnoses(lab: str, found: Iterable[Diagnosis]) -> str:
    """The mistakes for a terminal, each with its cure below."""
    lines = [f"{each.id}  {each.says}\n    -> {each.cure}" for each in found]
    if not lines:
        return (
            f"Nothing known is wrong with lab '{lab}': units, brewery, vnodes and media are fine."
        )
    return "\n".join((*lines, f"Each is explained in {PAGE}."))
