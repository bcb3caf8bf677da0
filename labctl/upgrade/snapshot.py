"""What a node is like before and after packages are installed: versions, files, starts of units."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from labctl.node.reach import reach
from labctl.node.script import sectioned
from labctl.node.sections import Sections
from labctl.topology.lab import Lab

# Message ids are those of systemd's catalogue: a unit has been started.
_STARTED = "39f53479d3a045ac8e11786248231fbf"
_SCRIPT = f"""
section versions
dpkg-query -W -f '${{db:Status-Status}}\\t${{Package}}\\t${{Version}}\\n'
section conffiles
dpkg-query -W -f 'Package: ${{Package}}\\n${{Conffiles}}\\n'
section files
find /etc -xdev -type f -exec sha256sum {{}} +
section starts
journalctl -b -q --no-pager -o json --output-fields=UNIT _PID=1 MESSAGE_ID={_STARTED}
section seen
awk '/^Name:/ {{ name = $2 }} /^Flags:.*seen/ {{ print name }}' \\
    /var/cache/debconf/config.dat /var/cache/debconf/passwords.dat 2>/dev/null
section end
"""
SECONDS = 60.0
ABSENT = ("config-files", "not-installed")
"""States of packages of which only dpkg's memory is there; one whose script failed is there."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A node at one moment.

    `files` are those below /etc, with their checksums; `conffiles` says which package a file
    belongs to; `starts` counts how often systemd has started each unit since boot; `seen` are the
    questions that somebody has answered.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    conffiles: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    starts: Mapping[str, int] = field(default_factory=dict)
    seen: frozenset[str] = frozenset()

    def changed_packages(self, later: Snapshot) -> frozenset[str]:
        """Packages with another version later, or that have come or gone."""
        names = {*self.versions, *later.versions}
        return frozenset(n for n in names if self.versions.get(n) != later.versions.get(n))


def take_snapshot(lab: Lab, node: str) -> Snapshot:
    """Ask a node.  Errors: NodeError if it does not answer."""
    answer = reach(lab).run(node, sectioned(_SCRIPT), sudo=True, seconds=SECONDS, check=False)
    return parse_snapshot(answer.sections)


def parse_snapshot(sections: Sections) -> Snapshot:
    """What the node's script said."""
    rows = (line.split("\t") for line in sections.lines("versions"))
    sums = (line.split("  ", 1) for line in sections.lines("files") if "  " in line)
    return Snapshot(
        versions={row[1]: row[2] for row in rows if len(row) == 3 and row[0] not in ABSENT},
        conffiles=dict(_conffiles(sections.lines("conffiles"))),
        files={path: digest for digest, path in sums},
        starts=Counter(_units(sections.lines("starts"))),
        seen=frozenset(line for line in sections.lines("seen") if line),
    )


def _conffiles(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    package = ""
    for line in lines:
        if line.startswith("Package: "):
            package = line.removeprefix("Package: ")
        elif line.startswith(" /"):
            yield line.split()[0], package


def _units(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        try:
            yield str(json.loads(line)["UNIT"])
        except (ValueError, KeyError, TypeError):
            continue  # a line that journald has cut
