"""What a node looks like when nobody has changed anything, and what differs from that.

A record is taken of every node that has just been made from its image.  Two records of a node are
compared line by line; a line begins with the path or the name that it is about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateError, StateKind, load_state, save_state
from labctl.node.reach import reach
from labctl.node.script import sectioned
from labctl.node.seam import NodeError, try_all
from labctl.node.sections import END, Sections
from labctl.topology.lab import Lab
from labctl.topology.roles import managed_units
from labctl.topology.workdir import Workdir

SECONDS = 60.0

# Contents where configuration is; sizes and times of what packages bring; what a shell reads when a
# user logs in; accounts.  Not: logs, and data that services write all the time.
_ASK = """
export LC_ALL=C
{ find /etc /usr/local /run/systemd/system /run/systemd/system.control /var/spool/cron -xdev \\
    ! -path /etc/mtab ! -path /etc/machine-id ! -name '.labctl-new.*'
  find /var/lib/prosody*/*/accounts -type f
  find /root /home -maxdepth 2 -type f -regex '.*/\\.[a-z_]*\\(rc\\|profile\\|login\\)'
} 2>/dev/null >/run/labctl-paths
section paths
xargs -d '\\n' stat -c '%n\\t%f %U:%G %N' </run/labctl-paths | sed 's/\\\\t/\\t/'
section contents
xargs -r -d '\\n' sha256sum </run/labctl-paths 2>/dev/null |
    awk '{ print substr($0, 67) "\\t" substr($0, 1, 64) }'
rm -f /run/labctl-paths
section trees
for tree in /usr/bin /usr/sbin /usr/lib /usr/libexec /usr/share /opt /srv /boot; do
    [ -d "$tree" ] || continue
    printf '%s\\t' "$tree"
    find "$tree" -xdev \\( -name __pycache__ -prune \\) -o ! -type d \\
        -printf '%p %s %T@ %m %u %l\\n' | sort | sha256sum | cut -c -64
done
section packages
dpkg-query -W -f '${Package}\\t${Version} ${db:Status-Abbrev}\\n'
section kernel
nft -s list table inet labctl 2>/dev/null | sha256sum | sed 's/^/the firewall\\t/'
nft list tables | sed 's/$/\\tthere/'
ip -4 -o address show | awk '{ print "address " $4 "\\t" $2 }'
ip -4 route show | sed 's/^/route /; s/$/\\tthere/'
tc qdisc show | sed 's/^/traffic control\\t/'
ps -eo stat=,comm= | awk '$1 ~ /^[Tt]/ { print "process " $2 "\\tstopped" }' | sort -u
awk '$2 !~ /^\\/(proc|sys|dev|run)/ { print "mount " $2 "\\t" $3 }' /proc/mounts | sort
section sockets
{ ss -ltnH | awk '{ if ($4 !~ /^127\\.0\\.0\\.11:/) print "port " $4 "/tcp" }'
  ss -lunH | awk '{ split($4, a, ":"); if (a[length(a)] + 0 < 32768) print "port " $4 "/udp" }'
} | sort -u | sed 's/$/\\topen/'
section runs
systemctl show --property=Id --property=InvocationID -- UNITS |
    awk -F = '$1 == "Id" { id = $2 } $1 == "InvocationID" { print id "\\t" $2 }'
section end
"""
RUNS = "runs"
"""Which run of each unit it is: not a difference, but a reason to start it again."""


@dataclass(frozen=True, slots=True)
class Record:
    """What a node looked like: lines by section."""

    sections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def lines(self, section: str) -> frozenset[str]:
        return frozenset(self.sections.get(section, ()))

    @property
    def runs(self) -> dict[str, str]:
        """The run of each unit, by the unit's name."""
        pairs = (line.split("\t", 1) for line in self.sections.get(RUNS, ()))
        return {pair[0]: pair[-1] for pair in pairs}


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a lab's nodes, by name."""

    nodes: Mapping[str, Record] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it was: its subject, and whether it was there before, and is now."""

    section: str
    subject: str
    before: bool
    now: bool

    @property
    def new(self) -> bool:
        return self.now and not self.before


KIND: StateKind[Records] = StateKind(
    format=1,
    parse=partial(from_plain, Records),
    remedy="The next 'labctl class start' makes the nodes anew and writes it again.",
)


def records_file(folder: Workdir) -> Path:
    return folder.path / "class" / "clean.json"


def load_records(folder: Workdir) -> Mapping[str, Record]:
    """The records of nodes as they were made; a file that cannot be used counts as none."""
    try:
        return load_state(records_file(folder), KIND).nodes
    except StateError:
        return {}


def save_records(folder: Workdir, records: Mapping[str, Record]) -> None:
    save_state(records_file(folder), KIND, to_plain(Records(records)), mode=0o600)


def read_records(lab: Lab, names: Collection[str]) -> dict[str, Record | None]:
    """What nodes look like now; None for a node that cannot be asked."""

    def one(name: str) -> Record | None:
        units = " ".join(unit.name for unit in managed_units(lab.topology.node(name)))
        script = sectioned(_ASK.replace("UNITS", units))
        told = reach(lab).run(name, script, sudo=True, seconds=SECONDS, check=False)
        return parse_record(told.sections)

    found = try_all(names, one)
    return {name: None if isinstance(each, NodeError) else each for name, each in found.items()}


def parse_record(told: Sections) -> Record | None:
    """The record in a node's answer; None if its script did not finish."""
    if END not in told:
        return None
    return Record({name: tuple(told.lines(name)) for name in told if name != END})


def compare(before: Record, now: Record) -> list[Difference]:
    """What differs, by section and subject; runs of units are not compared."""
    found = []
    for section in dict.fromkeys((*before.sections, *now.sections)):
        if section == RUNS:
            continue
        gone, new = (
            {line.partition("\t")[0] for line in lines}
            for lines in (
                before.lines(section) - now.lines(section),
                now.lines(section) - before.lines(section),
            )
        )
        was = {line.partition("\t")[0] for line in before.lines(section)}
        here = {line.partition("\t")[0] for line in now.lines(section)}
        found += [
            Difference(section, subject, subject in was, subject in here)
            for subject in sorted(gone | new)
        ]
    return found
