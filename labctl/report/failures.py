"""From tests that failed to failures that a person reads: alike ones together, with logs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from labctl.model import Topology
from labctl.report.excerpt import excerpt, words_about
from labctl.report.model import Failure, LogLine, Test

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
    names = names_of(topology)
    widest_first = sorted(groups.values(), key=lambda group: -len(group))
    return tuple(_failure(group, entries=entries, names=names) for group in widest_first)


def names_of(topology: Topology) -> frozenset[str]:
    """What tests are about: nodes, vnodes, units."""
    nodes = {node.name for node in topology.nodes}
    vnodes = {vnode.name for vnode in topology.vnodes}
    units = {vnode.unit.removesuffix(".service") for vnode in topology.vnodes}
    fixed = {"jicofo", "prosody", "nginx", "jitsi-videobridge2", "nftables"}
    return frozenset(nodes | vnodes | units | fixed)


def _failure(
    group: Sequence[Test], *, entries: Sequence[LogLine], names: frozenset[str]
) -> Failure:
    first = group[0]
    cases = " ".join(test.case for test in group)
    about = words_about(cases, names=names) or words_about(first.message, names=names)
    return Failure(
        nodeids=tuple(test.nodeid for test in group),
        docs=tuple(dict.fromkeys(test.doc for test in group if test.doc)),
        message=first.message,
        detail=first.detail,
        excerpt=excerpt(entries, start=first.started, end=first.ended, about=about)
        if entries
        else None,
    )
