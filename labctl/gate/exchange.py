"""Sets of packages of which some come from one source and the rest from another.

What packages depend on decides which of these can be installed together.  Only their own names
count here: whatever else they need comes from Debian or from Jitsi's repository."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from labctl.core import process
from labctl.images.debs import Deb, control_field, read_control
from labctl.images.packages import META

_RELATION = re.compile(r"^([a-z0-9][a-z0-9+.-]+)(?::\w+)?(?:\s*\((<<|<=|=|>=|>>)\s*(\S+)\))?")
NEEDS, REFUSES = ("Pre-Depends", "Depends"), ("Conflicts", "Breaks")


@dataclass(frozen=True, slots=True)
class Relation:
    """A package's name, and which versions of it are meant; `word` is empty for all."""

    name: str
    word: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.word} {self.version})" if self.word else self.name


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a package wants of another: one of `relations`, or with `refused` none of them."""

    package: str
    relations: tuple[Relation, ...]
    refused: bool = False

    def __str__(self) -> str:
        words = "cannot be installed with" if self.refused else "needs"
        return f"'{self.package}' {words} {' or '.join(map(str, self.relations))}"


@dataclass(frozen=True, slots=True)
class Member:
    """A package of a set, with what it wants of others."""

    deb: Deb
    constraints: tuple[Constraint, ...] = ()


Members = Mapping[str, Member]
"""A set of packages by name."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two sets, and the packages in which they differ: what may be exchanged, sorted by name."""

    good: Members
    bad: Members
    names: tuple[str, ...]

    @classmethod
    def of(cls, good: Members, bad: Members) -> Exchange:
        """The packages that only one of them has, or that are not the same in both."""
        names = [
            name
            for name in sorted({*good, *bad})
            if name not in good or name not in bad or good[name].deb.sha256 != bad[name].deb.sha256
        ]
        return cls(good, bad, tuple(names))

    def mixed(self, exchanged: Collection[str]) -> Members:
        """The good set, in which so many packages are the bad one's.

        The metapackage holds no software and wants its own version of everything, so a set that it
        does not allow is tried without it; otherwise no package could be exchanged alone.
        """
        kept = {name: each for name, each in self.good.items() if name not in exchanged}
        found = kept | {name: self.bad[name] for name in exchanged if name in self.bad}
        if set(exchanged) != {META} and META in found and broken({META: found[META]}, found):
            del found[META]
        return found

    def closure(self, exchanged: Collection[str]) -> frozenset[str]:
        """These packages with all that must be exchanged as well for all to be installable."""
        found = frozenset(exchanged)
        while True:
            members = self.mixed(found)
            more = {
                name
                for each in broken(members, members)
                for name in (each.package, *(relation.name for relation in each.relations))
                if name in self.names
            }
            if more <= found:
                return found
            found |= more

    def versions(self, name: str) -> tuple[str, str]:
        """A package's version in both sets; '-' where it is missing."""
        good, bad = (
            members[name].deb.version if name in members else "-"
            for members in (self.good, self.bad)
        )
        return good, bad


def read_member(deb: Deb) -> Member:
    """A package with what its control file says of others.  Starts dpkg-deb."""
    control = unfolded(read_control(deb.file) or "")
    found = [
        Constraint(deb.name, relations, refused=field in REFUSES)
        for field in (*NEEDS, *REFUSES)
        for relations in parse_relations(control_field(control, field))
    ]
    return Member(deb, tuple(found))


def members_of(debs: Sequence[Deb]) -> Members:
    """A set of files with what each depends on."""
    return {deb.name: read_member(deb) for deb in debs}


def unfolded(control: str) -> str:
    """A control file with each field on one line."""
    return re.sub(r"\n[ \t]+", " ", control)


def parse_relations(text: str) -> Iterator[tuple[Relation, ...]]:
    """The parts of a field such as Depends; each has one or more alternatives."""
    for part in filter(None, map(str.strip, text.split(","))):
        matches = (_RELATION.match(each.strip()) for each in part.split("|"))
        found = tuple(Relation(m[1], m[2] or "", m[3] or "") for m in matches if m)
        if found:
            yield found


def broken(some: Members, members: Members) -> list[Constraint]:
    """What some packages of a set want and does not hold in it.  Starts dpkg for versions."""
    return [
        constraint
        for each in some.values()
        for constraint in each.constraints
        if not _holds(constraint, members)
    ]


def _holds(constraint: Constraint, members: Members) -> bool:
    inside = [each for each in constraint.relations if each.name in members]
    if constraint.refused:
        return not any(_fits(each, members) for each in inside if each.name != constraint.package)
    # An alternative that is none of the set may come from elsewhere.
    return len(inside) < len(constraint.relations) or any(_fits(each, members) for each in inside)


def _fits(relation: Relation, members: Members) -> bool:
    if not relation.word:
        return True
    installed = members[relation.name].deb.version
    words = ["dpkg", "--compare-versions", installed, relation.word, relation.version]
    return process.run(words, check=False).code == 0
