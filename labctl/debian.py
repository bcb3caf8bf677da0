"""This machine's Debian: its mirror and apt settings, carried into the images.

Also the data of the Debian release that the images hold (`packer/debian/*.json`).  The mirror is
the one of Debian's own entry in apt's sources, never simply the first that is listed: other
entries name other people's hosts, and some do not answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labctl import process
from labctl.errors import LabError
from labctl.model import Role
from labctl.workdir import ROOT

RELEASE_FILE = ROOT / "packer" / "debian" / "13.json"
APT = Path("/etc/apt")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Settings that decide whether a download works at all; everything else is this machine's taste.
CARRIED = re.compile(
    r"Acquire::(?:https?::Proxy(?:::\S+)?|Check-Valid-Until|Check-Date|https::CAInfo)",
    re.IGNORECASE,
)
DEBIAN_URI = re.compile(r"/debian(-security)?/?$|^mirror\+file:.*/debian")
CA_SETTING = "acquire::https::cainfo"


@dataclass(frozen=True, slots=True)
class Release:
    """What the images hold of Debian: suites, and package names.

    `base` is in every image, `disk` in those of virtual machines, too.
    """

    suite: str
    backports: str
    backported: tuple[str, ...]
    prosody_at_least: str
    base: tuple[str, ...]
    disk: tuple[str, ...]
    roles: Mapping[Role, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of apt's sources."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where this machine gets Debian from, and the apt settings that it needs for it."""

    main: str
    security: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)


def load_release(path: Path = RELEASE_FILE) -> Release:
    """Read the data of a Debian release."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Release(
        suite=data["suite"],
        backports=data["backports"]["suite"],
        backported=tuple(data["backports"]["packages"]),
        prosody_at_least=data["prosody_at_least"],
        base=tuple(data["base"]),
        disk=tuple(data["disk"]),
        roles={Role(role): tuple(names) for role, names in data["roles"].items()},
    )


def parse_sources(text: str) -> list[Entry]:
    """Entries of a deb822 file (`*.sources`); disabled and source ones left out."""
    entries = []
    for stanza in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        # A line that begins with a blank goes on with the field above it.
        pairs = re.findall(r"(?m)^(\S+?):[ \t]*(.*(?:\n[ \t].*)*)", stanza)
        fields = {name.lower(): value for name, value in pairs}
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").strip().lower() in ("no", "false", "0"):
            continue
        entries.append(
            Entry(
                uris=tuple(fields.get("uris", "").split()),
                suites=tuple(fields.get("suites", "").split()),
                components=tuple(fields.get("components", "").split()),
                signed_by=fields.get("signed-by", "").strip(),
            )
        )
    return entries


def parse_list(text: str) -> list[Entry]:
    """Entries of a one-line file (`sources.list`, `*.list`)."""
    entries = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if match is None:
            continue
        options, uri, suite, components = match.groups(default="")
        signed = re.search(r"(?i)signed-by\s*=\s*(\S+)", options)
        entries.append(
            Entry(
                (uri,), (suite,), tuple(components.split()), signed_by=signed[1] if signed else ""
            )
        )
    return entries


def load_entries(apt: Path = APT) -> list[Entry]:
    """Every entry of a machine's apt sources, the files that Debian itself writes first."""
    own = [apt / "sources.list.d" / "debian.sources", apt / "sources.list"]
    folder = apt / "sources.list.d"
    others = sorted((*folder.glob("*.sources"), *folder.glob("*.list")))
    entries = []
    for path in [*own, *(path for path in others if path not in own)]:
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            entries += parse_sources(text) if path.suffix == ".sources" else parse_list(text)
    return entries


def find_mirror(entries: list[Entry]) -> tuple[str | None, str | None]:
    """Debian's own mirror among `entries`, and that of its security updates."""
    main = security = None
    # Other people's repositories may end in /debian too, so Debian's key counts first.
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


def parse_settings(text: str) -> dict[str, str]:
    """The settings of `apt-config dump` that a download may depend on."""
    pairs = re.findall(r'(?m)^(\S+) "(.*)";$', text)
    return {name: value for name, value in pairs if value and CARRIED.fullmatch(name)}


def load_mirror(apt: Path = APT) -> Mirror:
    """This machine's Debian mirror; LabError where its apt names none."""
    main, security = find_mirror(load_entries(apt))
    if main is None:
        raise LabError(
            f"No entry of Debian's own was found in apt's sources under '{apt}'.",
            hint="Images are made from this machine's Debian mirror: give apt an entry with"
            f" component 'main', signed by '{KEYRING}'.",
        )
    settings = parse_settings(process.run(["apt-config", "dump"]).output)
    return Mirror(main, security, settings)


def source_lines(mirror: Mirror, release: Release) -> list[tuple[str, str]]:
    """(URI, suite) of all that the images are made from."""
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


def render_settings(mirror: Mirror, *, ca_file: str | None = None) -> str:
    """An apt.conf with this machine's settings; `ca_file` is where its CA lies in the image."""
    lines = ['Acquire::Languages "none";', 'Acquire::Retries "2";']
    for name, value in mirror.settings.items():
        if name.lower() == CA_SETTING and ca_file is not None:
            value = ca_file
        lines.append(f'{name} "{value}";')
    return "\n".join(lines) + "\n"


def ca_file(mirror: Mirror) -> Path | None:
    """The file of authorities that this machine's apt trusts for https, where it sets one."""
    for name, value in mirror.settings.items():
        if name.lower() == CA_SETTING:
            return Path(value)
    return None


def _debian_entries(entries: list[Entry]) -> Iterator[Entry]:
    for entry in entries:
        if "main" not in entry.components:
            continue
        looks_so = any(DEBIAN_URI.search(uri) for uri in entry.uris)
        if "debian-archive" in entry.signed_by or (looks_so and not entry.signed_by):
            yield entry


def _first_uri(entry: Entry) -> str | None:
    """The entry's first address that nodes reach too; Debian's cloud images list it in a file."""
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
