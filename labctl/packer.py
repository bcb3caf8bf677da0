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
from labctl.errors import LabError
from labctl.model import Role
from labctl.packages import Origin, PackageSet
from labctl.workdir import ROOT

TEMPLATES = ROOT / "packer"
PLUGINS = TEMPLATES / "plugins" / "docker.pkr.hcl"
PLACEHOLDER_HOST = "image.labctl.invalid"
UPLOAD = "/tmp/labctl-bake"
"""Where the input lies on the machine that is baked; `packer/variables.pkr.hcl` says the same."""

CONTAINER_PREFIX = "labctl-bake-"
BAKE_SECONDS = 1200.0
MISSING_HINT = (
    "Debian 12 has it: 'apt install packer'. Debian 13 has not: take it from HashiCorp's"
    " repository, https://developer.hashicorp.com/packer/install."
)
# What `-timestamp-ui` and Packer put before each line of a step.
PACKER_PREFIX = re.compile(r"^\d{4}-\d\d-\d\dT[\d:]+Z: +(?:==> )?(?:docker\.role: ?)?")

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
    variables = scratch / "bake.pkrvars.json"
    variables.write_text(json.dumps(template_variables(job, given=given, output=output)))
    if version >= (1, 7):
        process.run(["packer", "init", PLUGINS], env=QUIET, log=job.log, timeout=BAKE_SECONDS)
    command: list[str | Path] = [
        "packer",
        "build",
        "-color=false",
        "-timestamp-ui",
        f"-var-file={variables}",
    ]
    try:
        result = process.run(
            [*command, TEMPLATES], env=QUIET, log=job.log, timeout=BAKE_SECONDS, check=False
        )
    finally:
        _remove_container(job.container)
    if result.code != 0:
        reason = "".join(f"\n    {line}" for line in parse_failure(result.output))
        raise process.ProcessError(f"Baking the image of '{job.role}' failed.{reason}", log=job.log)
    return Baked(
        parse_manifest((output / "manifest.json").read_text(encoding="utf-8")),
        parse_installed((output / "installed").read_text(encoding="utf-8")),
    )


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


def parse_failure(output: str) -> list[str]:
    """The last lines of the step that failed, without Packer's own talk around them."""
    lines = [PACKER_PREFIX.sub("", line).rstrip() for line in output.splitlines()]
    for index, line in enumerate(lines):
        if line.startswith(("Provisioning step had errors", "Build '")):
            lines = lines[:index]
            break
    return [line for line in lines if line.strip()][-process.TAIL_LINES :]


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
        "labctl-bake.pref": f"Package: *\nPin: release o={debs.REPOSITORY_ORIGIN}\n"
        "Pin-Priority: 1001\n",
        "preseed": render_preseed(PLACEHOLDER_HOST),
        "packages": render_packages(job.packages, role=job.role, release=job.release),
    }
    if job.packages.needs_jitsi(job.role):
        files["jitsi.asc"] = jitsi.fetch_key()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def render_backports(release: debian.Release) -> str:
    """The apt pin that takes some packages, and nothing else, from backports."""
    return (
        f"Package: {' '.join(release.backported)}\n"
        f"Pin: release n={release.backports}\nPin-Priority: 990\n"
    )


def render_bake_sources(packages: PackageSet, *, role: Role) -> str:
    """apt's sources for Jitsi's packages while a role is baked."""
    stanzas = [f"Types: deb\nURIs: file:{UPLOAD}/repository\nSuites: ./\nTrusted: yes\n"]
    if packages.needs_jitsi(role):
        # An armoured key works as it is: apt goes by the file's ending.
        stanzas.append(
            f"Types: deb\nURIs: {jitsi.JITSI_REPOSITORY}\nSuites: {packages.channel}/\n"
            f"Signed-By: {UPLOAD}/jitsi.asc\n"
        )
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
