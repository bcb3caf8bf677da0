"""Download one file as apt does: its proxies, authorities and passwords count, and no others.

So a question, such as whether a repository answers, has the answer that a bake would get.
"""

from __future__ import annotations

import re
from pathlib import Path

from labctl.core import process
from labctl.core.errors import LabError
from labctl.images.proxies import complete

APT_HELPER = Path("/usr/lib/apt/apt-helper")


def parse_settings(text: str) -> dict[str, str]:
    """All settings of `apt-config dump` that have a value."""
    return {name: value for name, value in re.findall(r'(?m)^(\S+) "(.*)";$', text) if value}


def read_settings() -> dict[str, str]:
    """This machine's apt settings.  Errors: ProcessError without apt."""
    return parse_settings(process.run(["apt-config", "dump"]).output)


def options_for(uri: str) -> list[str]:
    """What apt must be told so that it reaches a URI as this machine does."""
    settings = read_settings()
    added = complete(settings, [uri])
    return [
        word
        for name, value in added.items()
        if settings.get(name) != value
        for word in ("-o", f"{name}={value}")
    ]


def download(uri: str, target: Path, *, seconds: float) -> None:
    """Fetch `uri` into a file.  Errors: LabError with apt's reason; ProgramTimeoutError."""
    options = {
        "Acquire::Retries": "0",
        "Acquire::http::Timeout": f"{max(1, round(seconds))}",
        "Acquire::https::Timeout": f"{max(1, round(seconds))}",
        # apt's own user for downloads may not enter the folder.
        "APT::Sandbox::User": "root",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    command: list[str | Path] = [
        APT_HELPER,
        *words,
        *options_for(uri),
        "download-file",
        uri,
        target,
    ]
    result = process.run(command, check=False, timeout=seconds)
    if result.code != 0:
        raise LabError(parse_reason(result.errors or result.output))


def parse_reason(text: str) -> str:
    """Why apt could not fetch a file, in its words; an HTTP status by its number."""
    found = re.search(r"(?m)^E: Failed to fetch \S+ +(.*)$", text)
    said = found[1] if found else text.strip().partition("\n")[0]
    status = re.match(r"(\d{3})\b", said)
    return f"HTTP status {status[1]}" if status else said.rstrip(".")
