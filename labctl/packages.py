"""Which Jitsi packages the images get, and where each one comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from labctl.debs import Deb, host_architecture, load_debs
from labctl.errors import LabError
from labctl.jitsi import JITSI_REPOSITORY, silence_of
from labctl.model import Channel, Packages, PackageSource, Role
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
    channel: Channel
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
            [str(item.origin), item.name, item.version or f"newest of {self.channel}"]
            + ([item.deb.sha256] if item.deb else [])
            for item in self.of_role(role)
        ]
        return named + [[deb.name, deb.version, deb.sha256] for deb in self.others]


def resolve(
    packages: Packages,
    *,
    cache: Path,
    standins: Path = STANDINS,
    repository: str = JITSI_REPOSITORY,
    force: bool = False,
) -> PackageSet:
    """Decide for each of Jitsi's packages where it comes from.

    Stand-ins are built into `cache` once per content.  Jitsi's repository is only asked where
    the answer matters; that it kept silent is remembered in `cache` for ten minutes unless
    `force` is set.  Errors: LabError where what is asked for cannot be had.
    """
    _check_pins(packages.versions)
    match packages.source:
        case PackageSource.JITSI:
            return jitsi_set(packages)
        case PackageSource.STAND_INS:
            return _standin_set(packages, cache=cache, standins=standins)
        case PackageSource.DEBS | PackageSource.AUTO:
            silence = silence_of(repository, packages.channel, cache=cache, force=force)
            if packages.source is PackageSource.DEBS:
                return _debs_set(packages, silence, cache=cache, standins=standins)
            if silence is None:
                return jitsi_set(packages)
            found = _standin_set(packages, cache=cache, standins=standins)
            return PackageSet(
                found.packages,
                found.channel,
                notice="STAND-INS, not Jitsi's software: Jitsi's package repository does not"
                f" answer ({silence}). This lab shows how labctl and the topology work; it says"
                " nothing about Jitsi's quality or speed. 'packages.source = stand-ins' says that"
                " this is what you want.",
            )


def jitsi_set(packages: Packages) -> PackageSet:
    """The five packages from Jitsi's own repository, pinned as asked."""
    return PackageSet(
        tuple(Package(name, Origin.JITSI, packages.versions.get(name)) for name in MAIN_PACKAGES),
        packages.channel,
    )


def _standin_set(packages: Packages, *, cache: Path, standins: Path) -> PackageSet:
    debs = {deb.name: deb for deb in build_standins(cache, standins=standins)}
    lacking = [name for name in MAIN_PACKAGES if name not in debs]
    if lacking:
        raise LabError(f"'{standins}' does not build {', '.join(lacking)}.")
    found = tuple(_local(debs[name], Origin.STAND_INS) for name in MAIN_PACKAGES)
    _check_versions(packages.versions, found)
    return PackageSet(found, packages.channel)


def _debs_set(
    packages: Packages, silence: str | None, *, cache: Path, standins: Path
) -> PackageSet:
    if packages.path is None:
        raise LabError(
            "'packages.source = debs' needs 'packages.path'.",
            hint="It names the folder that holds the .deb files.",
        )
    folder = Path(packages.path).expanduser()
    debs = {deb.name: deb for deb in load_debs(folder, architecture=host_architecture())}
    lacking = [name for name in MAIN_PACKAGES if name not in debs]
    if len(lacking) == len(MAIN_PACKAGES):
        raise LabError(
            f"The folder '{folder}' holds none of Jitsi's packages.",
            hint=f"labctl installs {', '.join(MAIN_PACKAGES)}.",
        )
    found = {name: _local(debs[name], Origin.DEBS) for name in MAIN_PACKAGES if name in debs}
    if lacking and silence is None:
        found |= {
            name: Package(name, Origin.JITSI, packages.versions.get(name)) for name in lacking
        }
    elif lacking:
        standin = {deb.name: deb for deb in build_standins(cache, standins=standins)}
        found |= {name: _local(standin[name], Origin.STAND_INS) for name in lacking}
    ordered = tuple(found[name] for name in MAIN_PACKAGES)
    _check_versions(packages.versions, ordered)
    others = tuple(deb for name, deb in debs.items() if name not in MAIN_PACKAGES)
    notice = _lacking_notice(folder, [found[name] for name in lacking], silence)
    return PackageSet(ordered, packages.channel, others, notice)


def _lacking_notice(folder: Path, lacking: list[Package], silence: str | None) -> str | None:
    if not lacking:
        return None
    lines = [f"'{folder}' does not hold all of Jitsi's packages:"]
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
        raise LabError(f"'packages.versions' asks for {'; '.join(wrong)}.")
