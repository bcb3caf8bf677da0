"""What of a lab a whole class may see: no reasons from this machine, no hints, fewer log lines.

The class's page is read by everybody who reaches the JMS (`labctl.live.publish`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from labctl.live.model import Snapshot
from labctl.live.source import Sample, Source
from labctl.report.lines import LogLine
from labctl.topology.lab import Lab
from labctl.topology.roles import NGINX

NO_ANSWER = "no answer"
"""Instead of what ssh said, which may name files and users of this machine."""
HIDDEN = "[hidden]"

_TOKEN = re.compile(r"\beyJ[\w-]*\.[\w-]+(?:\.[\w-]*)?|(?<=[?&]token=)[^&\s\"]+")
"""A JSON Web Token, with which whoever reads it could join as somebody else."""


@dataclass(frozen=True, slots=True)
class ClassSource:
    """A source without what is not for a class."""

    whole: Source

    def snapshot(self) -> Snapshot:
        return share(self.whole.snapshot())

    def samples(self) -> tuple[Sample, ...]:
        return self.whole.samples()


def share(snapshot: Snapshot) -> Snapshot:
    """The snapshot without reasons from this machine, without cures, and without nginx's lines.

    Cures are what an exercise asks for.  nginx's lines have the addresses and the requests of
    people, tokens among them.
    """
    errors = {node.error for node in snapshot.nodes if node.error}
    return replace(
        snapshot,
        nodes=tuple(
            replace(node, error=NO_ANSWER if node.error else "") for node in snapshot.nodes
        ),
        missing={
            name: NO_ANSWER if any(it in seen for it in errors) else seen
            for name, seen in snapshot.missing.items()
        },
        advice=(),
        lines=tuple(_lines(snapshot)),
    )


def _lines(snapshot: Snapshot) -> Iterator[LogLine]:
    for line in snapshot.lines:
        if line.source != NGINX.stem:
            yield replace(line, text=_TOKEN.sub(HIDDEN, line.text))


def host_words(lab: Lab) -> frozenset[str]:
    """Folders of this machine, which the page must not name."""
    folder = lab.folder.path
    paths = {folder, folder.resolve(), folder.parent.parent, Path.home()}
    return frozenset(str(path) for path in paths if path != Path(path.anchor))
