"""What a bake is given to install: packages, apt's sources and pins, answers to questions.

The same for containers and virtual machines; `packer/scripts/install.sh` reads it.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from labctl import debian, debs, jitsi
from labctl.model import Role
from labctl.packages import Origin, PackageSet

PLACEHOLDER_HOST = "image.labctl.invalid"
UPLOAD = "/tmp/labctl-bake"
"""Where the input lies on the machine that is baked; `packer/variables.pkr.hcl` says the same."""


@dataclass(frozen=True, slots=True)
class BakeInput:
    """One role to install: its packages, and the Debian that they and the rest come from."""

    role: Role
    packages: PackageSet
    mirror: debian.Mirror
    release: debian.Release


def save_input(job: BakeInput, *, folder: Path) -> None:
    """Write what `packer/scripts/install.sh` reads."""
    folder.mkdir()
    debs.write_repository(folder / "repository", job.packages.local_debs(job.role))
    settings_ca = debian.ca_file(job.mirror)
    if settings_ca is not None:
        shutil.copyfile(settings_ca, folder / "ca.crt")
    files = {
        "debian.sources": debian.render_sources(job.mirror, job.release),
        "apt.conf": debian.render_settings(job.mirror, ca_file=f"{UPLOAD}/ca.crt"),
        "backports.pref": render_backports(job.release),
        "labctl-bake.sources": render_bake_sources(job.packages, role=job.role),
        "labctl-bake.pref": render_pins(job.packages, role=job.role),
        "preseed": render_preseed(PLACEHOLDER_HOST),
        "packages": render_packages(job.packages, role=job.role, release=job.release),
    }
    if job.packages.needs_jitsi(job.role):
        (folder / "jitsi.gpg").write_bytes(jitsi.fetch_keyring(job.packages.repository))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def render_backports(release: debian.Release) -> str:
    """The apt pin that takes some packages, and nothing else, from backports."""
    return (
        f"Package: {' '.join(release.backported)}\n"
        f"Pin: release n={release.backports}\nPin-Priority: 990\n"
    )


def render_pins(packages: PackageSet, *, role: Role) -> str:
    """The apt pins while a role is baked.

    Local files win over everything; of Jitsi's repository exactly the chosen versions do, and
    what else it holds is only taken where Debian has no such package.
    """
    pins = [("*", f"release o={debs.REPOSITORY_ORIGIN}", 1001)]
    if packages.needs_jitsi(role):
        chosen = [item for item in packages.of_role(role) if item.origin is Origin.JITSI]
        pins += [(item.name, f"version {item.version}", 1001) for item in chosen if item.version]
        pins.append(("*", f'origin "{packages.repository.host}"', 100))
    return "\n".join(
        f"Package: {package}\nPin: {pin}\nPin-Priority: {priority}\n"
        for package, pin, priority in pins
    )


def render_bake_sources(packages: PackageSet, *, role: Role) -> str:
    """apt's sources for Jitsi's packages while a role is baked."""
    stanzas = [f"Types: deb\nURIs: file:{UPLOAD}/repository\nSuites: ./\nTrusted: yes\n"]
    if packages.needs_jitsi(role):
        stanzas.append(packages.repository.render_source(keyring=f"{UPLOAD}/jitsi.gpg"))
    return "\n".join(stanzas)


def render_packages(packages: PackageSet, *, role: Role, release: debian.Release) -> str:
    """What apt is to install, one a line, with '=VERSION' where the version is known."""
    names = list(release.roles[role])
    for item in packages.of_role(role):
        names.append(f"{item.name}={item.version}" if item.version else item.name)
    return "\n".join(names) + "\n"


def render_preseed(host: str) -> str:
    """Answers for debconf, with passwords made for this bake and thrown away with it.

    The packages' own book-keeping questions (`jitsi-meet/jvb-hostname` and the like) stay out:
    an answer there means "set up before", and the scripts then skip site and certificate.
    """
    password = secrets.token_hex
    return f"""\
jitsi-videobridge2 jitsi-videobridge/jvb-hostname string {host}
jitsi-videobridge2 jitsi-videobridge/jvbsecret password {password(12)}
jicofo jicofo/jicofo-authpassword password {password(12)}
jitsi-meet-web-config jitsi-meet/cert-choice select Generate a new self-signed certificate
jitsi-meet-web-config jitsi-meet/email string
jitsi-meet-web-config jitsi-meet/jaas-choice boolean false
"""


def origin_of(name: str, packages: PackageSet) -> Origin:
    """Where an installed package came from."""
    for item in packages.packages:
        if item.name == name:
            return item.origin
    return Origin.DEBS if any(deb.name == name for deb in packages.others) else Origin.DEBIAN
