"""Which of Jitsi's packages the images get, and where each one comes from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import assert_never

from labctl.core.errors import LabError, PackageError
from labctl.core.progress import Progress, silent
from labctl.images.candidates import load_candidates
from labctl.images.debs import Deb, DebSet
from labctl.images.jitsi import Repository, Versions, ask_versions, known_versions, silence_of
from labctl.images.standins import STANDINS, build_standins
from labctl.topology.packages import jitsi_packages
from labctl.topology.roles import role_facts
from labctl.topology.spec import Packages, PackageSource, Role

MAIN_PACKAGES = jitsi_packages()

META = "jitsi-meet"
"""Upstream's metapackage: it holds nothing and depends on the others in exactly its own set."""

EXTRA_PACKAGES = (META, "jitsi-meet-turnserver", "jitsi-meet-tokens")
"""Packages of Jitsi that no image has: labctl does by itself what they would set up.  The gate
installs them."""


class PackageOrigin(StrEnum):
    """Where one package comes from."""

    JITSI = "jitsi"
    DEBS = "debs"
    STAND_INS = "stand-ins"
    DEBIAN = "debian"


@dataclass(frozen=True, slots=True)
class Package:
    """One of Jitsi's packages; without a version, it is the newest of its channel."""

    name: str
    origin: PackageOrigin
    version: str | None = None
    deb: Deb | None = None


@dataclass(frozen=True, slots=True)
class PackageSet:
    """The five packages of Jitsi, and other local files that they may depend on.

    `extras` are those of `EXTRA_PACKAGES` that come from the same source.  `notice` is what the
    user must not overlook; None if everything is as requested.
    """

    packages: tuple[Package, ...]
    repository: Repository = field(default_factory=Repository)
    others: tuple[Deb, ...] = ()
    notice: str | None = None
    extras: tuple[Package, ...] = ()

    def of_role(self, role: Role) -> tuple[Package, ...]:
        names = role_facts(role).packages
        return tuple(item for item in self.packages if item.name in names)

    def local_debs(self, role: Role) -> tuple[Deb, ...]:
        """Files for the role's local repository."""
        return (*(item.deb for item in self.of_role(role) if item.deb), *self.others)

    def needs_jitsi(self, role: Role) -> bool:
        return any(item.origin is PackageOrigin.JITSI for item in self.of_role(role))

    def identity(self, role: Role) -> list[list[str]]:
        """What distinguishes this role's packages from others: plain data for a hash."""
        named = [
            [str(item.origin), item.name, item.version or self._newest]
            + ([item.deb.sha256] if item.deb else [])
            for item in self.of_role(role)
        ]
        return named + [[deb.name, deb.version, deb.sha256] for deb in self.others]

    @property
    def _newest(self) -> str:
        return f"newest of {self.repository.uri} {self.repository.channel}"


def resolve(
    packages: Packages,
    *,
    cache: Path,
    standins: Path = STANDINS,
    force: bool = False,
    progress: Progress = silent,
) -> PackageSet:
    """Decide for each of Jitsi's packages where it comes from, and in which version.

    Stand-ins are built into `cache` once per content, and files with an address are downloaded to
    it.  Jitsi's repository is asked only if its answer matters and is not known: `cache` remembers
    its versions, and for ten minutes that it did not answer, unless `force` is set.  Errors:
    PackageError if a requested package does not exist, LabError if that cannot be found out.
    """
    _check_pins(packages.versions)
    repository = Repository.of(packages)
    match packages.source:
        case PackageSource.JITSI:
            return jitsi_set(packages, known=_versions(packages, cache=cache, force=force))
        case PackageSource.STAND_INS:
            return _standin_set(packages, cache=cache, standins=standins)
        case PackageSource.DEBS:
            silence = silence_of(repository, cache=cache, force=force)
            where, candidates = load_candidates(
                packages, cache=cache, force=force, progress=progress
            )
            return _debs_set(
                packages, silence, where, candidates, cache=cache, standins=standins, force=force
            )
        case PackageSource.AUTO:
            silence = silence_of(repository, cache=cache, force=force)
            if silence is None:
                return jitsi_set(packages, known=_versions(packages, cache=cache, force=force))
            found = _standin_set(packages, cache=cache, standins=standins)
            return replace(
                found,
                notice="STAND-INS, not Jitsi's software: Jitsi's package repository does not"
                f" answer ({silence}). This lab shows how labctl and the topology work; it says"
                " nothing about Jitsi's quality or speed. 'packages.source = stand-ins' says that"
                " this is what you want.",
            )
        case _:
            assert_never(packages.source)


def jitsi_set(packages: Packages, *, known: Versions | None = None) -> PackageSet:
    """The five packages from Jitsi's repository: as pinned, else the newest that it has."""
    found = tuple(_from_jitsi(name, packages, known=known) for name in MAIN_PACKAGES)
    held = [name for name in EXTRA_PACKAGES if known and known.get(name)]
    extras = tuple(_from_jitsi(name, packages, known=known) for name in held)
    notice = _others_note(packages)
    return PackageSet(found, Repository.of(packages), notice=notice, extras=extras)


def known_jitsi_set(packages: Packages, *, cache: Path) -> PackageSet | None:
    """The same, from the versions of the last answer; None if those are too old."""
    known = known_versions(Repository.of(packages), cache=cache)
    if known is None or not _holds(known, packages):
        return None
    return jitsi_set(packages, known=known)


def _holds(known: Versions, packages: Packages) -> bool:
    return all(version in known.get(name, ()) for name, version in packages.versions.items())


def nearest_versions(wanted: str, held: Sequence[str]) -> list[str]:
    """Up to three of a repository's versions; those most like the wanted one come first."""
    near = difflib.get_close_matches(wanted, held, n=3, cutoff=0.7)
    return near or list(held[:3])


def _versions(packages: Packages, *, cache: Path, force: bool) -> Versions:
    """The versions in Jitsi's repository, which is asked again if a pinned one is not known."""
    repository = Repository.of(packages)
    known = None if force else known_versions(repository, cache=cache)
    if known is not None and _holds(known, packages):
        return known
    return ask_versions(repository, (*MAIN_PACKAGES, *EXTRA_PACKAGES), cache=cache)


def _from_jitsi(name: str, packages: Packages, *, known: Versions | None) -> Package:
    wanted = packages.versions.get(name)
    if known is None:
        return Package(name, PackageOrigin.JITSI, wanted)
    held = known.get(name, ())
    where = f"'{Repository.of(packages).uri}', channel '{packages.channel}',"
    if not held:
        raise PackageError(f"{where} has no package '{name}'.")
    if wanted is not None and wanted not in held:
        raise PackageError(
            f"{where} has no version '{wanted}' of '{name}'.",
            hint=f"Nearest: {', '.join(nearest_versions(wanted, held))}; newest: {held[0]}.",
        )
    return Package(name, PackageOrigin.JITSI, wanted or held[0])


def _standin_set(packages: Packages, *, cache: Path, standins: Path) -> PackageSet:
    debs = {deb.name: deb for deb in build_standins(cache, standins=standins)}
    lacking = [name for name in MAIN_PACKAGES if name not in debs]
    if lacking:
        raise LabError(f"'{standins}' does not build {', '.join(lacking)}.")
    found = tuple(_local(debs[name], PackageOrigin.STAND_INS) for name in MAIN_PACKAGES)
    _check_versions(packages.versions, found)
    return PackageSet(
        found, Repository.of(packages), extras=_extras(debs, origin=PackageOrigin.STAND_INS)
    )


def _debs_set(
    packages: Packages,
    silence: str | None,
    where: str,
    candidates: DebSet,
    *,
    cache: Path,
    standins: Path,
    force: bool,
) -> PackageSet:
    debs = {deb.name: deb for deb in candidates.debs}
    lacking = [name for name in MAIN_PACKAGES if name not in debs]
    if len(lacking) == len(MAIN_PACKAGES):
        raise PackageError(
            f"{where} has none of Jitsi's packages.",
            hint=f"labctl installs {', '.join(MAIN_PACKAGES)}.",
        )
    found = {name: _local(debs[name], PackageOrigin.DEBS) for name in MAIN_PACKAGES if name in debs}
    if lacking and silence is None:
        known = _versions(packages, cache=cache, force=force)
        found |= {name: _from_jitsi(name, packages, known=known) for name in lacking}
    elif lacking:
        standin = {deb.name: deb for deb in build_standins(cache, standins=standins)}
        found |= {name: _local(standin[name], PackageOrigin.STAND_INS) for name in lacking}
    ordered = tuple(found[name] for name in MAIN_PACKAGES)
    _check_versions(packages.versions, ordered)
    known_names = (*MAIN_PACKAGES, *EXTRA_PACKAGES)
    others = tuple(deb for name, deb in debs.items() if name not in known_names)
    lacking_notice = _lacking_notice(where, [found[name] for name in lacking], silence)
    notice = _join_notes(*candidates.notes, lacking_notice)
    extras = _extras(debs, origin=PackageOrigin.DEBS)
    return PackageSet(ordered, Repository.of(packages), others, notice, extras)


def _extras(debs: Mapping[str, Deb], *, origin: PackageOrigin) -> tuple[Package, ...]:
    return tuple(_local(debs[name], origin) for name in EXTRA_PACKAGES if name in debs)


def _join_notes(*notes: str | None) -> str | None:
    return "\n".join(filter(None, notes)) or None


def _others_note(packages: Packages) -> str | None:
    """A note on how many packages of a versions file are not used."""
    if not packages.others:
        return None
    return (
        f"The versions file names {packages.others} packages that are not installed or are not"
        " Jitsi's; they were ignored."
    )


def _lacking_notice(where: str, lacking: list[Package], silence: str | None) -> str | None:
    if not lacking:
        return None
    lines = [f"{where} does not have all of Jitsi's packages:"]
    for item in lacking:
        where = (
            "from Jitsi's repository"
            if item.origin is PackageOrigin.JITSI
            else f"a STAND-IN, not Jitsi's software ({item.version})"
        )
        lines.append(f"  {item.name}: {where}")
    if silence is not None:
        lines.append(f"(Jitsi's repository does not answer: {silence}.)")
    return "\n".join(lines)


def _local(deb: Deb, origin: PackageOrigin) -> Package:
    return Package(deb.name, origin, deb.version, deb)


def _check_pins(versions: Mapping[str, str]) -> None:
    unknown = sorted(set(versions) - set(MAIN_PACKAGES))
    if unknown:
        raise LabError(
            "'packages.versions' names packages that labctl does not install: "
            + ", ".join(f"'{name}'" for name in unknown)
            + ".",
            hint=f"It installs {', '.join(MAIN_PACKAGES)}.",
        )


def _check_versions(versions: Mapping[str, str], found: tuple[Package, ...]) -> None:
    wrong = [
        f"'{item.name}' {versions[item.name]}, but {item.origin} has {item.version}"
        for item in found
        if item.deb and item.name in versions and item.version != versions[item.name]
    ]
    if wrong:
        raise PackageError(f"'packages.versions' asks for {'; '.join(wrong)}.")
