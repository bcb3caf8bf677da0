""".deb files by address: downloaded once, shown with size and checksum, and asked about again.

An address such as `http://ci.lan/latest/jicofo.deb` keeps its name and changes its content.  A file
that is here already is therefore asked about (ETag and Last-Modified, RFC 9110, 13.1), and is
fetched again only if the server has another one.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from labctl.core.errors import LabError, PackageError
from labctl.core.files import write_json
from labctl.core.progress import Progress
from labctl.images.debs import find_damage, read_control
from labctl.spec.addresses import parse_address

SECONDS = 30.0
"""How long a server may be silent."""

CHUNK = 1 << 20
SHARES = 10
"""A download is told in steps of this many percent, if it is larger than a step of CHUNK."""


class Answer(Protocol):
    """An open answer of a server, as far as it is read here."""

    headers: Mapping[str, str]

    def read(self, amount: int = -1) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a file that is here: its checksum, and the server's words for it."""

    sha256: str
    etag: str = ""
    modified: str = ""


def fetch_deb(address: str, *, cache: Path, force: bool, progress: Progress) -> Path:
    """The file at an address, in `cache`; with `#sha256=...` it must have that checksum.

    If the server does not answer, the file of the last time is used, unless `force` is set.
    Errors: LabError if it cannot be fetched, PackageError if it is not a whole package; both name
    the address.
    """
    where = parse_address(address)
    url, name, wanted = where.url, where.name, where.sha256
    folder = cache / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:16]
    file, kept = folder / name, _load_kept(folder / "kept.json")
    if kept is not None and not file.is_file():
        kept = None
    if kept is not None and kept.sha256 == wanted:
        progress("packages", f"'{name}' is here already (sha256 {kept.sha256})")
        return file
    try:
        found = _fetch(url, folder / f".{name}.part", kept=kept, progress=progress)
    except _SilentError as error:
        if kept is None or force or wanted:
            raise LabError(
                f"'{url}' cannot be downloaded: {error}.",
                hint="Check the address and whether its server runs, or download the file"
                " yourself and name its path.",
            ) from error
        progress("packages", f"'{url}': {error}; the file of the last time is used")
        return file
    if found is None:
        assert kept is not None
        # A gate asks for the same set several times; it is told once.
        if force:
            progress("packages", f"'{name}' has not changed (sha256 {kept.sha256})")
        found = kept
    if wanted is not None and found.sha256 != wanted:
        (folder / f".{name}.part").unlink(missing_ok=True)
        raise PackageError(f"'{url}' has sha256 {found.sha256}, not {wanted} as asked for.")
    if found is not kept:
        _keep(folder / f".{name}.part", file, found, url=url)
        progress("packages", f"'{name}': {file.stat().st_size} bytes, sha256 {found.sha256}")
    return file


class _SilentError(Exception):
    """Nothing was downloaded, and it is not the package's fault."""


def _fetch(url: str, part: Path, *, kept: Kept | None, progress: Progress) -> Kept | None:
    """Download to `part`; None if the server still has what is kept."""
    headers = {"User-Agent": "labctl", "Accept-Encoding": "identity"}
    if kept is not None and kept.etag:
        headers["If-None-Match"] = kept.etag
    elif kept is not None and kept.modified:
        headers["If-Modified-Since"] = kept.modified
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            _refuse_page(url, answer)
            digest = _save(answer, part, url=url, progress=progress)
            return Kept(
                digest, answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
            )
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.NOT_MODIFIED and kept is not None:
            return None
        raise _SilentError(f"the server answers {error.code} ({error.reason})") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        raise _SilentError(words.rstrip(".")) from error


def _refuse_page(url: str, answer: Answer) -> None:
    kind = str(answer.headers.get("Content-Type", "")).partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise LabError(
            f"'{url}' is a web page and not a package.",
            hint="The server may ask for a login, or show a page from which the file is"
            " downloaded: name the file's own address.",
        )


def _save(answer: Answer, part: Path, *, url: str, progress: Progress) -> str:
    """Write what comes, tell of it, and return its checksum.  Errors: PackageError for less than
    the server said."""
    size = int(answer.headers.get("Content-Length") or 0)
    name = part.name.removeprefix(".").removesuffix(".part")
    progress("packages", f"downloading '{name}'" + (f", {size} bytes" if size else ""))
    found, done, told = hashlib.sha256(), 0, 0
    with part.open("wb") as file:
        for chunk in _chunks(answer):
            file.write(chunk)
            found.update(chunk)
            done += len(chunk)
            share = done * 100 // size if size else 0
            if share >= told + SHARES and done < size:
                told = share
                progress("packages", f"downloading '{name}': {share} %")
    if done < size:
        part.unlink()
        raise _SilentError(f"the connection ended after {done} of {size} bytes")
    return found.hexdigest()


def _chunks(answer: Answer) -> Iterator[bytes]:
    while chunk := answer.read(CHUNK):
        yield chunk


def _keep(part: Path, file: Path, kept: Kept, *, url: str) -> None:
    """Give a whole package its name.  Errors: PackageError if it is not one."""
    damage = find_damage(part, read_control(part))
    if damage is not None:
        part.unlink()
        raise PackageError(
            f"'{url}' is not a whole Debian package: {damage}.",
            hint="Build it again, or check whether the server still receives it.",
        )
    part.replace(file)
    about = {"sha256": kept.sha256, "etag": kept.etag, "modified": kept.modified, "url": url}
    write_json(file.parent / "kept.json", about)


def _load_kept(file: Path) -> Kept | None:
    """What is known of a file; None if nothing can be read, so it is downloaded again."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        return Kept(str(data["sha256"]), str(data["etag"]), str(data["modified"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
