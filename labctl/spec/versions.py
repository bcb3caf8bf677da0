"""Read lists of packages with their versions, in the forms that people have.

These are lines `package version` (separated by a blank, a tab or `=`), the output of
`dpkg-query -W`, `dpkg -l` and `apt list --installed`, and `Packages` files of apt repositories.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.core.errors import Problem
from labctl.core.usertext import plain_blanks

VERSION = re.compile(r"^[0-9][A-Za-z0-9.+~:-]*\Z")
_PACKAGE = re.compile(r"^[a-z0-9][a-z0-9+.-]+(:[a-z0-9-]+)?\Z")
_STANZA = re.compile(r"(?m)^Package: ")
# State, name, version, architecture; above them are several header lines.
_DPKG_LINE = re.compile(r"^[uihrp][ncHUFWti][ R] +(\S+) +(\S+) +\S+( |$)")
_DPKG_HEAD = re.compile(r"^(Desired=|\||\+\+\+-)")
# name/suite[,suite] version architecture [state]
_APT_LINE = re.compile(r"^([^/\s]+)/\S* (\S+) \S+( \[.*\])?$")
_APT_HEAD = re.compile(r"^(Listing\.\.\.|WARNING: apt )")


@dataclass(frozen=True, slots=True)
class ListedPackage:
    """One package of a list; `version` is empty if it is known but not installed."""

    where: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class VersionList:
    """The versions that a list gives for Jitsi's packages, and how many others it names."""

    versions: dict[str, str]
    others: int = 0


def parse_versions(text: str, problems: list[Problem], *, name: str) -> VersionList:
    """The versions in a list; `name` is used in problems.

    Packages that are not Jitsi's or have no version are counted and left out.  A line that cannot
    be read, and a package with two versions, is added to `problems`.
    """
    found: dict[str, str] = {}
    others = 0
    for each in _entries(plain_blanks(text), problems, name=name):
        package = each.name.partition(":")[0]
        if not is_jitsi_package(package) or not each.version:
            others += 1
        elif found.setdefault(package, each.version) != each.version:
            problems.append(
                Problem(each.where, f"names '{package}' a second time, in another version.")
            )
    return VersionList(found, others)


def is_jitsi_package(package: str) -> bool:
    """Whether a package is one of Jitsi's, by its name."""
    return package == "jicofo" or package.startswith("jitsi-")


def _entries(text: str, problems: list[Problem], *, name: str) -> Iterator[ListedPackage]:
    if _STANZA.search(text):
        yield from _stanzas(text, problems, name=name)
        return
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{name}, line {number}"
        words = line.partition("#")[0].rstrip(" \r\n")
        if not words.strip() or _DPKG_HEAD.match(words) or _APT_HEAD.match(words):
            continue
        listed = _line(words, where)
        if listed is None or not _PACKAGE.match(listed.name) or not _fits(listed.version):
            problems.append(Problem(where, f"must be 'package version', got {line.strip()!r}."))
        else:
            yield listed


def _line(line: str, where: str) -> ListedPackage | None:
    for pattern in (_DPKG_LINE, _APT_LINE):
        if found := pattern.match(line):
            return ListedPackage(where, found[1], "" if found[2] == "<none>" else found[2])
    if re.fullmatch(r"\S+\t", line):
        # 'dpkg-query -W' also names packages that are known but not installed.
        return ListedPackage(where, line.rstrip("\t"), "")
    words = line.replace("=", " ").split()
    return ListedPackage(where, *words) if len(words) == 2 else None


def _stanzas(text: str, problems: list[Problem], *, name: str) -> Iterator[ListedPackage]:
    for number, stanza in enumerate(re.split(r"\n\s*\n", text.strip()), 1):
        fields = dict(re.findall(r"(?m)^(Package|Version): *(\S+)", stanza))
        where = f"{name}, stanza {number}"
        if len(fields) == 2 and _fits(fields["Version"]):
            yield ListedPackage(where, fields["Package"], fields["Version"])
        else:
            problems.append(Problem(where, "must have 'Package' and 'Version'."))


def _fits(version: str) -> bool:
    return not version or VERSION.match(version) is not None
