"""This machine's Debian mirror and apt settings, which are carried into the images.

Also the data of the images' Debian release (`packer/debian/*.json`).  The mirror is from Debian's
own entry in apt's sources, not simply the first that is listed: other entries name other people's
hosts, and some do not answer.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from labctl.core.errors import LabError
from labctl.images.download import read_settings
from labctl.images.proxies import complete
from labctl.topology.releases import RELEASES, known_releases, release_file
from labctl.topology.spec import DEFAULT_RELEASE

APT = Path("/etc/apt")
MIRROR = "LABCTL_DEBIAN_MIRROR"
"""Environment variable with a mirror that apt itself does not use, as on Ubuntu."""

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Settings that decide whether a download works at all; all others are local preferences.
CARRIED = re.compile(
    r"Acquire::(?:https?::Proxy(?:::\S+)?|Check-Valid-Until|Check-Date|https::CAInfo)",
    re.IGNORECASE,
)
DEBIAN_URI = re.compile(r"/debian(-security)?/?$|^mirror\+file:.*/debian")
CA_SETTING = "acquire::https::cainfo"
SYSTEM_CA = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True)
class Release:
    """The parts of a Debian release that the images use: suites and package names.

    `base` is in every image, `disk` in those of virtual machines only.  What a role adds is in
    `labctl.topology.roles`.
    """

    suite: str
    backports: str
    backported: tuple[str, ...]
    prosody_at_least: str
    base: tuple[str, ...]
    disk: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AptEntry:
    """One entry of apt's sources."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where this machine gets Debian from, and the apt settings that this needs."""

    main: str
    security: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    passwords: str = field(default="", repr=False)


def load_release(name: str = DEFAULT_RELEASE, *, folder: Path = RELEASES) -> Release:
    """The data of a Debian release, such as '13'.  Errors: LabError where there is none."""
    path = release_file(name, folder=folder)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(known_releases(folder))
        raise LabError(f"'{path}' does not exist.", hint=f"Releases: {known}.") from None
    return Release(
        suite=data["suite"],
        backports=data["backports"]["suite"],
        backported=tuple(data["backports"]["packages"]),
        prosody_at_least=data["prosody_at_least"],
        base=tuple(data["base"]),
        disk=tuple(data["disk"]),
    )


def parse_sources(text: str) -> list[AptEntry]:
    """Entries of a deb822 file (`*.sources`), without disabled ones and those for sources."""
    entries = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        # A line that begins with a blank continues the field above it.
        pairs = re.findall(r"(?m)^(\S+?):[ \t]*(.*(?:\n[ \t].*)*)", stanza)
        fields = {name.lower(): value for name, value in pairs}
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").strip().lower() in ("no", "false", "0"):
            continue
        entries.append(
            AptEntry(
                uris=tuple(fields.get("uris", "").split()),
                suites=tuple(fields.get("suites", "").split()),
                components=tuple(fields.get("components", "").split()),
                signed_by=fields.get("signed-by", "").strip(),
            )
        )
    return entries


def parse_list(text: str) -> list[AptEntry]:
    """Entries of a one-line file (`sources.list`, `*.list`)."""
    entries = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match is None:
            continue
        options, uri, suite, components = match.groups(default="")
        signed = re.search(r"(?i)signed-by\s*=\s*(\S+)", options)
        entries.append(
            AptEntry(
                (uri,), (suite,), tuple(components.split()), signed_by=signed[1] if signed else ""
            )
        )
    return entries


def load_entries(apt: Path = APT) -> list[AptEntry]:
    """Every entry of a machine's apt sources; files that Debian itself writes come first."""
    own = [apt / "sources.list.d" / "debian.sources", apt / "sources.list"]
    folder = apt / "sources.list.d"
    others = sorted((*folder.glob("*.sources"), *folder.glob("*.list")))
    entries = []
    for path in [*own, *(path for path in others if path not in own)]:
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            entries += parse_sources(text) if path.suffix == ".sources" else parse_list(text)
    return entries


def find_mirror(entries: list[AptEntry]) -> tuple[str | None, str | None]:
    """Debian's own mirror among `entries`, and that of its security updates."""
    main = security = None
    # Addresses of other repositories may also end in /debian, so Debian's key decides first.
    for entry in sorted(_debian_entries(entries), key=lambda entry: not entry.signed_by):
        is_security = all(re.search(r"-security$|/updates$", suite) for suite in entry.suites)
        uri = _first_uri(entry)
        if uri is None:
            continue
        if is_security:
            security = security or uri
        elif not all(suite.endswith("-backports") for suite in entry.suites):
            main = main or uri
    return main, security


def carried(settings: Mapping[str, str]) -> dict[str, str]:
    """Those of apt's settings that a download may depend on."""
    return {name: value for name, value in settings.items() if CARRIED.fullmatch(name)}


def load_passwords(apt: Path, uris: Iterable[str]) -> str:
    """apt's passwords for the hosts of some URIs, as lines of its auth.conf.

    Files that this user may not read are left out; apt says then what it lacks.
    """
    hosts = {urlsplit(uri).hostname for uri in uris}
    lines = []
    for path in (apt / "auth.conf", *sorted((apt / "auth.conf.d").glob("*.conf"))):
        with suppress(OSError):
            text = re.sub(r"(?m)#.*$", "", path.read_text(encoding="utf-8", errors="replace"))
            for entry in re.split(r"\bmachine\s+", text)[1:]:
                words = entry.split()
                place = words[0] if "://" in words[0] else f"any://{words[0]}"
                if urlsplit(place).hostname in hosts:
                    lines.append(f"machine {' '.join(words)}\n")
    return "".join(lines)


def load_mirror(apt: Path = APT, *, also: Iterable[str] = ()) -> Mirror:
    """This machine's Debian mirror, and how it and the URIs in `also` are reached.

    Errors: LabError if its apt names none.
    """
    main, security = find_mirror(load_entries(apt))
    main = os.environ.get(MIRROR, "").rstrip("/") or main
    if main is None:
        raise LabError(
            f"apt's sources under '{apt}' have no entry for Debian itself.",
            hint="Images are Debian's: name a mirror of Debian in the environment"
            f" ({MIRROR}=http://...; see https://www.debian.org/mirror/list), or add an entry with"
            f" component 'main', signed by '{KEYRING}'.",
        )
    uris = [uri for uri in (main, security, *also) if uri is not None]
    settings = carried(complete(read_settings(), uris))
    secure = any(uri.startswith("https:") for uri in uris)
    if secure and CA_SETTING not in map(str.lower, settings) and SYSTEM_CA.is_file():
        # A company's own authority may be among them, and no image has it.
        settings["Acquire::https::CAInfo"] = str(SYSTEM_CA)
    return Mirror(main, security, settings, load_passwords(apt, uris))


def source_lines(mirror: Mirror, release: Release) -> list[tuple[str, str]]:
    """(URI, suite) of all sources that the images are made from."""
    suites = (release.suite, f"{release.suite}-updates", release.backports)
    lines = [(mirror.main, suite) for suite in suites]
    if mirror.security is not None:
        lines.append((mirror.security, f"{release.suite}-security"))
    return lines


def render_sources(mirror: Mirror, release: Release) -> str:
    """The images' /etc/apt/sources.list.d/debian.sources."""
    stanza = "Types: deb\nURIs: {}\nSuites: {}\nComponents: main\nSigned-By: {}\n"
    return "\n".join(
        stanza.format(uri, suite, KEYRING) for uri, suite in source_lines(mirror, release)
    )


def render_settings(
    mirror: Mirror, *, ca_file: str | None = None, passwords: str | None = None
) -> str:
    """An apt.conf with this machine's settings.

    `ca_file` and `passwords` are the paths of its CA and its passwords in the image.
    """
    lines = ['Acquire::Languages "none";', 'Acquire::Retries "2";']
    if passwords is not None and mirror.passwords:
        lines.append(f'Dir::Etc::netrc "{passwords}";')
    for name, value in mirror.settings.items():
        if name.lower() == CA_SETTING and ca_file is not None:
            value = ca_file
        lines.append(f'{name} "{value}";')
    return "\n".join(lines) + "\n"


def ca_file(mirror: Mirror) -> Path | None:
    """The file of authorities that this machine's apt trusts for https, if it sets one."""
    for name, value in mirror.settings.items():
        if name.lower() == CA_SETTING:
            return Path(value)
    return None


def _debian_entries(entries: list[AptEntry]) -> Iterator[AptEntry]:
    for entry in entries:
        if "main" not in entry.components:
            continue
        looks_so = any(DEBIAN_URI.search(uri) for uri in entry.uris)
        if "debian-archive" in entry.signed_by or (looks_so and not entry.signed_by):
            yield entry


def _first_uri(entry: AptEntry) -> str | None:
    """The entry's first address that nodes reach too; Debian's cloud images keep it in a file."""
    for uri in entry.uris:
        if uri.startswith(("http://", "https://")):
            return uri.rstrip("/")
        if uri.startswith("mirror+file:"):
            path = Path(uri.removeprefix("mirror+file:").replace("//", "/"))
            listed = path.read_text(encoding="utf-8").split() if path.is_file() else []
            for word in listed:
                if word.startswith(("http://", "https://")):
                    return word.rstrip("/")
    return None
