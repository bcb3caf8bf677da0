"""The input of a bake: packages, apt's sources and pins, and answers for debconf.

It is the same for containers and virtual machines; `packer/scripts/install.sh` reads it.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from labctl.images import debian, debs, jitsi
from labctl.images.packages import PackageOrigin, PackageSet
from labctl.topology.roles import image_units, role_facts
from labctl.topology.spec import Role

SECRET = ("auth.conf", "preseed")
"""Files of the input with passwords; root reads them, and apt before it becomes another user."""

PLACEHOLDER_HOST = "image.labctl.invalid"
UPLOAD = "/tmp/labctl-bake"
"""The folder of the input on the machine that is baked; also in `packer/variables.pkr.hcl`."""


@dataclass(frozen=True, slots=True)
class BakeInput:
    """One role to install: its packages, and the Debian release that everything else comes from."""

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
        "apt.conf": debian.render_settings(
            job.mirror, ca_file=f"{UPLOAD}/ca.crt", passwords=f"{UPLOAD}/auth.conf"
        ),
        "auth.conf": job.mirror.passwords,
        "backports.pref": render_backports(job.release),
        "labctl-bake.sources": render_bake_sources(job.packages, role=job.role),
        "labctl-bake.pref": render_pins(job.packages, role=job.role),
        "preseed": render_preseed(PLACEHOLDER_HOST),
        "packages": render_packages(job.packages, role=job.role),
        "units": render_units(job.role),
    }
    if job.packages.needs_jitsi(job.role):
        (folder / "jitsi.gpg").write_bytes(jitsi.fetch_keyring(job.packages.repository))
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    _open_to_all(folder)


def _open_to_all(folder: Path) -> None:
    """Let every user read the input: modes are uploaded with it, and apt downloads as another user.

    It would not find the authorities and keys that this user's umask closes to others.
    """
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o600 if path.name in SECRET else 0o644)


def render_backports(release: debian.Release) -> str:
    """The apt pin that takes some packages, and no others, from backports."""
    return (
        f"Package: {' '.join(release.backported)}\n"
        f"Pin: release n={release.backports}\nPin-Priority: 990\n"
    )


def render_pins(packages: PackageSet, *, role: Role) -> str:
    """The apt pins while a role is baked.

    Local files always win.  From Jitsi's repository, exactly the chosen versions win; its other
    packages are used only if Debian does not have them.
    """
    pins = [("*", f"release o={debs.REPOSITORY_ORIGIN}", 1001)]
    if packages.needs_jitsi(role):
        chosen = [item for item in packages.of_role(role) if item.origin is PackageOrigin.JITSI]
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


def render_packages(packages: PackageSet, *, role: Role) -> str:
    """What apt installs, one package a line, with '=VERSION' if the version is known."""
    names = list(role_facts(role).debian)
    for item in packages.of_role(role):
        names.append(f"{item.name}={item.version}" if item.version else item.name)
    return "\n".join(names) + "\n"


def render_units(role: Role) -> str:
    """The units that must not start before `labctl up`, one a line.

    `clean.sh` stops and disables them; `check.sh` checks that.
    """
    return "\n".join(image_units(role)) + "\n"


def render_preseed(host: str) -> str:
    """Answers for debconf, with passwords that are used for this bake only.

    The questions that packages use for their own records, such as `jitsi-meet/jvb-hostname`, are
    left out: an answer to them means "already set up", and the scripts then skip the site and the
    certificate.
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


def origin_of(name: str, packages: PackageSet) -> PackageOrigin:
    """Where an installed package came from."""
    for item in packages.packages:
        if item.name == name:
            return item.origin
    return (
        PackageOrigin.DEBS
        if any(deb.name == name for deb in packages.others)
        else PackageOrigin.DEBIAN
    )
