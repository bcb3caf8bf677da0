"""Which Jitsi packages the images get, and where each one comes from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from labctl.debs import Deb, host_architecture, load_debs, load_files
from labctl.errors import LabError, PackageError
from labctl.jitsi import Repository, Versions, ask_versions, known_versions, silence_of
from labctl.model import Packages, PackageSource, Role
from labctl.standins import STANDINS, build_standins

ROLE_PACKAGES: Mapping[Role, tuple[str, ...]] = {
    Role.JMS: (
        "jicofo",
        "jitsi-videobridge2",
        "jitsi-meet-prosody",
        "jitsi-meet-web-config",
        "jitsi-meet-web",
    ),
    Role.JVB: ("jitsi-videobridge2",),
    # jitsi-meet-prosody's postinst asks a question of jitsi-meet-web-config's: both, in one call.
    Role.VISITORS: ("jitsi-meet-prosody", "jitsi-meet-web-config"),
}
MAIN_PACKAGES = ROLE_PACKAGES[Role.JMS]


class Origin(StrEnum):
    """Where one package comes from."""

    JITSI = "jitsi"
    DEBS = "debs"
    STAND_INS = "stand-ins"
    DEBIAN = "debian"


@dataclass(frozen=True, slots=True)
class Package:
    """One of Jitsi's packages; without a version it is the newest of its channel."""

    name: str
    origin: Origin
    version: str | None = None
    deb: Deb | None = None


@dataclass(frozen=True, slots=True)
class PackageSet:
    """All that is wanted of Jitsi: the five packages, and other local files they may depend on.

    `notice` is what the user must not overlook, None where all is as asked.
    """

    packages: tuple[Package, ...]
    repository: Repository = field(default_factory=Repository)
    others: tuple[Deb, ...] = ()
    notice: str | None = None

    def of_role(self, role: Role) -> tuple[Package, ...]:
        return tuple(item for item in self.packages if item.name in ROLE_PACKAGES[role])

    def local_debs(self, role: Role) -> tuple[Deb, ...]:
        """Files for the role's local repository."""
        return (*(item.deb for item in self.of_role(role) if item.deb), *self.others)

    def needs_jitsi(self, role: Role) -> bool:
        return any(item.origin is Origin.JITSI for item in self.of_role(role))

    def identity(self, role: Role) -> list[list[str]]:
        """What tells this role's packages from others: plain data for a hash."""
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
    packages: Packages, *, cache: Path, standins: Path = STANDINS, force: bool = False
) -> PackageSet:
    """Decide for each of Jitsi's packages where it comes from, and in which version.

    Stand-ins are built into `cache` once per content.  Jitsi's repository is only asked where
    the answer matters and is not known: what it held, and for ten minutes that it kept silent,
    is remembered in `cache` unless `force` is set.  Errors: PackageError where what is asked for
    cannot be had, LabError where nobody can tell.
    """
    _check_pins(packages.versions)
    repository = Repository.of(packages)
    match packages.source:
        case PackageSource.JITSI:
            return jitsi_set(packages, known=_versions(packages, cache=cache, force=force))
        case PackageSource.STAND_INS:
            return _standin_set(packages, cache=cache, standins=standins)
        case PackageSource.DEBS | PackageSource.AUTO:
            silence = silence_of(repository, cache=cache, force=force)
            if packages.source is PackageSource.DEBS:
                return _debs_set(packages, silence, cache=cache, standins=standins, force=force)
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


def jitsi_set(packages: Packages, *, known: Versions | None = None) -> PackageSet:
    """The five packages from Jitsi's repository: as pinned, else the newest that it holds."""
    found = tuple(_from_jitsi(name, packages, known=known) for name in MAIN_PACKAGES)
    return PackageSet(found, Repository.of(packages))


def known_jitsi_set(packages: Packages, *, cache: Path) -> PackageSet | None:
    """The same by what the repository held when it was asked last; None where that is too old."""
    known = known_versions(Repository.of(packages), cache=cache)
    if known is None or not _holds(known, packages):
        return None
    return jitsi_set(packages, known=known)


def _holds(known: Versions, packages: Packages) -> bool:
    return all(version in known.get(name, ()) for name, version in packages.versions.items())


def nearest_versions(wanted: str, held: Sequence[str]) -> list[str]:
    """Up to three of the versions that a repository holds, those like the wanted one first."""
    near = difflib.get_close_matches(wanted, held, n=3, cutoff=0.7)
    return near or list(held[:3])


def _versions(packages: Packages, *, cache: Path, force: bool) -> Versions:
    """What Jitsi's repository holds; asked again where a pinned version is not known of."""
    repository = Repository.of(packages)
    known = None if force else known_versions(repository, cache=cache)
    if known is not None and _holds(known, packages):
        return known
    return ask_versions(repository, MAIN_PACKAGES, cache=cache)


def _from_jitsi(name: str, packages: Packages, *, known: Versions | None) -> Package:
    wanted = packages.versions.get(name)
    if known is None:
        return Package(name, Origin.JITSI, wanted)
    held = known.get(name, ())
    where = f"'{Repository.of(packages).uri}', channel '{packages.channel}',"
    if not held:
        raise PackageError(f"{where} holds no package '{name}'.")
    if wanted is not None and wanted not in held:
        raise PackageError(
            f"{where} holds no '{name}' in version '{wanted}'.",
            hint=f"Nearest: {', '.join(nearest_versions(wanted, held))}; newest: {held[0]}.",
        )
    return Package(name, Origin.JITSI, wanted or held[0])


def _standin_set(packages: Packages, *, cache: Path, standins: Path) -> PackageSet:
    debs = {deb.name: deb for deb in build_standins(cache, standins=standins)}
    lacking = [name for name in MAIN_PACKAGES if name not in debs]
    if lacking:
        raise LabError(f"'{standins}' does not build {', '.join(lacking)}.")
    found = tuple(_local(debs[name], Origin.STAND_INS) for name in MAIN_PACKAGES)
    _check_versions(packages.versions, found)
    return PackageSet(found, Repository.of(packages))


def _debs_set(
    packages: Packages, silence: str | None, *, cache: Path, standins: Path, force: bool
) -> PackageSet:
    where, debs = _load_candidates(packages)
    lacking = [name for name in MAIN_PACKAGES if name not in debs]
    if len(lacking) == len(MAIN_PACKAGES):
        raise PackageError(
            f"{where} holds none of Jitsi's packages.",
            hint=f"labctl installs {', '.join(MAIN_PACKAGES)}.",
        )
    found = {name: _local(debs[name], Origin.DEBS) for name in MAIN_PACKAGES if name in debs}
    if lacking and silence is None:
        known = _versions(packages, cache=cache, force=force)
        found |= {name: _from_jitsi(name, packages, known=known) for name in lacking}
    elif lacking:
        standin = {deb.name: deb for deb in build_standins(cache, standins=standins)}
        found |= {name: _local(standin[name], Origin.STAND_INS) for name in lacking}
    ordered = tuple(found[name] for name in MAIN_PACKAGES)
    _check_versions(packages.versions, ordered)
    others = tuple(deb for name, deb in debs.items() if name not in MAIN_PACKAGES)
    notice = _lacking_notice(where, [found[name] for name in lacking], silence)
    return PackageSet(ordered, Repository.of(packages), others, notice)


def _load_candidates(packages: Packages) -> tuple[str, dict[str, Deb]]:
    """Where the .deb files are, as the beginning of a sentence, and the files by package."""
    if packages.path is None and not packages.files:
        raise LabError(
            "'packages.source = debs' needs 'packages.path'.",
            hint="It names the folder that holds the .deb files.",
        )
    architecture = host_architecture()
    if packages.path is not None:
        folder = Path(packages.path).expanduser()
        where, found = f"The folder '{folder}'", load_debs(folder, architecture=architecture)
    else:
        files = [Path(file) for file in packages.files]
        where, found = "The list of files", load_files(files, architecture=architecture)
    return where, {deb.name: deb for deb in found}


def _lacking_notice(where: str, lacking: list[Package], silence: str | None) -> str | None:
    if not lacking:
        return None
    lines = [f"{where} does not hold all of Jitsi's packages:"]
    for item in lacking:
        where = (
            "from Jitsi's repository"
            if item.origin is Origin.JITSI
            else f"a STAND-IN, not Jitsi's software ({item.version})"
        )
        lines.append(f"  {item.name}: {where}")
    if silence is not None:
        lines.append(f"(Jitsi's repository does not answer: {silence}.)")
    return "\n".join(lines)


def _local(deb: Deb, origin: Origin) -> Package:
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
