"""Packer: one role baked on the base, and what a bake is given to install.

The templates and scripts are in `packer/`.  Packer 1.6 (Debian 12) has its builders built in;
later ones fetch the Docker plugin first.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl import debian, debs, jitsi, process
from labctl.bakelog import parse_failure
from labctl.errors import LabError, PackageError
from labctl.model import Role
from labctl.packages import Origin, PackageSet
from labctl.workdir import ROOT

TEMPLATES = ROOT / "packer"
PLUGINS = TEMPLATES / "plugins" / "docker.pkr.hcl"
PLACEHOLDER_HOST = "image.labctl.invalid"
UPLOAD = "/tmp/labctl-bake"
"""Where the input lies on the machine that is baked; `packer/variables.pkr.hcl` says the same."""

CONTAINER_PREFIX = "labctl-bake-"
KEPT_PREFIX = "labctl-failed-"
"""Containers in which a package failed; one per role is kept until the next bake."""

BAKE_SECONDS = 1200.0
MISSING_HINT = (
    "Debian 12 has it: 'apt install packer'. Debian 13 has not: take it from HashiCorp's"
    " repository, https://developer.hashicorp.com/packer/install."
)
# Packer asks its maker for news and colours its output unless told otherwise.
QUIET: Mapping[str, str] = {"CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1"}


@dataclass(frozen=True, slots=True)
class Bake:
    """One role to bake: on which image, of what, with which container name and log."""

    role: Role
    base: str
    packages: PackageSet
    mirror: debian.Mirror
    release: debian.Release
    container: str
    log: Path


@dataclass(frozen=True, slots=True)
class Baked:
    """What came of it: the image's id, and the versions of all packages in it."""

    image: str
    versions: Mapping[str, str]


def parse_version(text: str) -> tuple[int, int]:
    """Major and minor of `packer version`'s answer."""
    match = re.search(r"Packer v(\d+)\.(\d+)", text)
    if match is None:
        raise LabError(f"'packer version' says '{text.strip()}', which names no version.")
    return int(match[1]), int(match[2])


def check_packer() -> tuple[int, int]:
    """Packer's version; LabError with advice where there is none."""
    return parse_version(
        process.run(["packer", "version"], env=QUIET, hint=MISSING_HINT, timeout=20).output
    )


def bake(job: Bake, *, scratch: Path) -> Baked:
    """Bake one role's image, which then has no name yet; `scratch` is an empty folder of ours.

    Errors: LabError with the log's place and its last lines.  The container goes in any case.
    """
    version = check_packer()
    given, output = scratch / "input", scratch / "output"
    output.mkdir()
    save_input(job, folder=given)
    _remove_container(f"{KEPT_PREFIX}{job.role}")
    variables = scratch / "bake.pkrvars.json"
    variables.write_text(json.dumps(template_variables(job, given=given, output=output)))
    if version >= (1, 7):
        process.run(["packer", "init", PLUGINS], env=QUIET, log=job.log, timeout=BAKE_SECONDS)
    command: list[str | Path] = [
        "packer",
        "build",
        "-color=false",
        "-timestamp-ui",
        # The container stays for a look inside; what is not worth one goes below.
        "-on-error=abort",
        f"-var-file={variables}",
    ]
    try:
        result = process.run(
            [*command, TEMPLATES], env=QUIET, log=job.log, timeout=BAKE_SECONDS, check=False
        )
        if result.code != 0:
            raise _failed(job, result)
    finally:
        _remove_container(job.container)
    return Baked(
        parse_manifest((output / "manifest.json").read_text(encoding="utf-8")),
        parse_installed((output / "installed").read_text(encoding="utf-8")),
    )


def _failed(job: Bake, result: process.Result) -> LabError:
    """The error of a bake that failed; a package's failure leaves its container for a look."""
    failure = parse_failure(result.output)
    shown = "".join(f"\n    {line}" for line in failure.lines)
    cause = f" failed: {failure.message}" if failure.message else " failed."
    message = f"Baking the image of '{job.role}'{cause}{shown}"
    # On a full disk any script fails: that is not its package's fault.
    if failure.package is None or "No space left on device" in result.output:
        return process.ProcessError(message, log=job.log)
    kept = f"{KEPT_PREFIX}{job.role}"
    process.run(["docker", "rename", job.container, kept], check=False, timeout=60)
    error = PackageError(
        message,
        hint=f"'docker exec -it {kept} bash' looks around where it failed;"
        f" 'docker rm -f {kept}' removes it, as does the next bake of this role.",
        log=job.log,
    )
    error.package = failure.package
    return error


def template_variables(job: Bake, *, given: Path, output: Path) -> dict[str, str]:
    """Values for `packer/variables.pkr.hcl`."""
    return {
        "role": str(job.role),
        "base": job.base,
        "container": job.container,
        "input": str(given),
        "output": str(output),
        "placeholder_host": PLACEHOLDER_HOST,
        "prosody_at_least": job.release.prosody_at_least,
    }


def parse_manifest(text: str) -> str:
    """The image id in the manifest that Packer writes."""
    return str(json.loads(text)["builds"][-1]["artifact_id"])


def parse_installed(text: str) -> dict[str, str]:
    """Package names and versions, one a line with a tab between."""
    return dict(line.split("\t", 1) for line in text.splitlines() if "\t" in line)


def save_input(job: Bake, *, folder: Path) -> None:
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


def container_name(role: Role) -> str:
    """The name of the container in which this process bakes a role."""
    return f"{CONTAINER_PREFIX}{role}-{os.getpid()}"


def remove_stale_containers() -> None:
    """Remove the containers of bakes whose labctl was killed."""
    command = ["docker", "ps", "--all", "--filter", f"name=^{CONTAINER_PREFIX}"]
    listing = process.run([*command, "--format", "{{.Names}}"], timeout=30)
    for name in listing.output.split():
        pid = name.rpartition("-")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            _remove_container(name)


def _remove_container(name: str) -> None:
    process.run(
        ["docker", "rm", "--force", "--volumes", name], check=False, timeout=60, endable=False
    )
