"""From tests that failed to failures that a person reads: alike ones together, with logs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from labctl.report.excerpt import excerpt, words_about
from labctl.report.lines import LogLine
from labctl.report.model import Failure, Test
from labctl.topology.model import Topology
from labctl.topology.roles import managed_units

_ADDRESS = re.compile(r"0x[0-9a-f]+|\baccept-[0-9a-f]+\b")


def group_failures(
    tests: Iterable[Test], *, entries: Sequence[LogLine], topology: Topology
) -> tuple[Failure, ...]:
    """Failures, those that hit most tests first; `entries` are the merged logs, or empty.

    Tests of one function that failed with the same words are one failure; so are tests of any
    that failed with the same sentence for people ("Node 'jvb2' did not answer over ssh ...").
    """
    groups: dict[tuple[str, str], list[Test]] = {}
    for test in tests:
        is_assertion = test.message.startswith(("AssertionError", "assert "))
        whose = test.nodeid.partition("[")[0] if is_assertion or not test.message else ""
        key = (whose, _ADDRESS.sub("…", test.message))
        groups.setdefault(key, []).append(test)
    nodes = frozenset(node.name for node in topology.nodes)
    widest_first = sorted(groups.values(), key=lambda group: -len(group))
    return tuple(
        _failure(group, entries=entries, nodes=nodes, things=things_of(topology))
        for group in widest_first
    )


def things_of(topology: Topology) -> frozenset[str]:
    """What tests are about, apart from nodes: vnodes and units."""
    vnodes = {vnode.name for vnode in topology.vnodes}
    units = {
        unit
        for node in topology.nodes
        for each in managed_units(node)
        for unit in (each.stem, each.program)
    }
    return frozenset(vnodes | units)


def _failure(
    group: Sequence[Test],
    *,
    entries: Sequence[LogLine],
    nodes: frozenset[str],
    things: frozenset[str],
) -> Failure:
    first = group[0]
    cases = " ".join(test.case for test in group)
    names = nodes | things
    about = words_about(cases, names=names) or words_about(first.message, names=names)
    found = None
    if entries:
        found = excerpt(
            entries,
            start=first.started,
            end=first.ended,
            nodes=about & nodes,
            things=about & things,
        )
    return Failure(
        nodeids=tuple(test.nodeid for test in group),
        docs=tuple(dict.fromkeys(test.doc for test in group if test.doc)),
        message=first.message,
        detail=first.detail,
        excerpt=found,
    )
