"""The source words of `--packages`, `labctl gate` and lab.conf, and the keys of `packages`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labctl.errors import Problem
from labctl.model import Channel, Packages, PackageSource
from labctl.openpgp import parse_fingerprint
from labctl.spec import keys
from labctl.spec.readers import Fields, want_choice, want_object, want_text

_VERSION = re.compile(r"^[0-9][A-Za-z0-9.+~:-]*$")
_PACKAGE = re.compile(r"^[a-z0-9][a-z0-9+.-]+$")
_KEPT = ("versions", "versions-file", "repository", "key")
"""What a source on the command line leaves as lab.conf has it."""


def parse_packages(text: str) -> dict[str, Any]:
    """A source word as the keys of `packages`.

    `auto`, `stand-ins`, `jitsi`, `jitsi:CHANNEL`, `jitsi:VERSIONS-FILE`,
    `jitsi:CHANNEL:VERSIONS-FILE`, `debs:DIR`, `debs:FILE.deb,FILE.deb`.
    """
    source, _, rest = text.partition(":")
    found: dict[str, Any] = {"source": source}
    if not rest:
        return found
    if source == PackageSource.DEBS:
        files = [part.strip() for part in rest.split(",") if part.strip()]
        several = len(files) > 1 or files[0].endswith(".deb")
        return found | ({"files": files} if several else {"path": rest})
    channel, colon, file = rest.partition(":")
    if colon and channel in list(Channel):
        return found | {"channel": channel, "versions-file": file}
    if source == PackageSource.JITSI and re.search(r"[/.:]", rest):
        return found | {"versions-file": rest}
    return found | {"channel": rest}


def with_source(old: Any, text: str) -> dict[str, Any]:
    """`packages` of lab.conf, its source replaced by a word of the command line.

    What is relative on the command line is relative to where the user stands.
    """
    chosen = parse_packages(text)
    for key in ("path", "versions-file"):
        if key in chosen:
            chosen[key] = _absolute(chosen[key])
    if "files" in chosen:
        chosen["files"] = [_absolute(file) for file in chosen["files"]]
    values = {key.replace("_", "-"): value for key, value in old.items()} if _is_map(old) else {}
    return {key: values[key] for key in _KEPT if key in values} | chosen


def want_packages(fields: Fields, *, base: Path) -> Packages:
    """`packages`: a source word, or an object; relative paths are under `base`."""
    value = fields.values.get("packages")
    if isinstance(value, str):
        inner = Fields.of(parse_packages(value), fields.problems, fields.key("packages"))
    else:
        inner = want_object(fields, "packages")
    inner.refuse_unknown(keys.PACKAGES)
    source = want_choice(inner, "source", PackageSource.AUTO)
    path = want_text(inner, "path", None)
    files = _want_files(inner)
    if source is PackageSource.DEBS and path is None and not files:
        inner.note("path", "must name the directory that holds the .deb files.", "debs:DIR")
    if path is not None and files:
        inner.note("files", "cannot be given together with 'packages.path'.")
    return Packages(
        source=source,
        channel=want_choice(inner, "channel", Channel.STABLE),
        path=_under(base, path) if path is not None else None,
        versions=_want_versions(inner, base=base),
        files=tuple(_under(base, file) for file in files),
        repository=_want_repository(inner),
        key=_want_key(inner),
    )


def parse_versions(text: str, problems: list[Problem], *, name: str) -> dict[str, str]:
    """Package -> version of a file of such lines; '#' begins a comment.

    What `dpkg-query -W` prints is such a file, so lines of other packages are fine.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].replace("=", " ").split()
        if not words:
            continue
        where = f"{name}, line {number}"
        if len(words) != 2 or not _PACKAGE.match(words[0]) or not _VERSION.match(words[1]):
            problems.append(Problem(where, f"must be 'package version', got {line.strip()!r}."))
        elif words[0] in found:
            problems.append(Problem(where, f"names '{words[0]}' a second time."))
        else:
            found[words[0]] = words[1]
    return found


def _want_versions(fields: Fields, *, base: Path) -> dict[str, str]:
    """Versions of the file, then those of the object, which win."""
    file = want_text(fields, "versions-file", None)
    found: dict[str, str] = {}
    if file is not None:
        path = Path(_under(base, file))
        key = fields.key("versions-file")
        try:
            found = parse_versions(path.read_text("utf-8"), fields.problems, name=f"'{path}'")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            hint = f"A channel is one of {', '.join(Channel)}."
            fields.problems.append(Problem(key, f"'{path}' cannot be read: {reason}.", hint))
    inner = want_object(fields, "versions")
    for name, value in inner.values.items():
        text = str(value)
        if _VERSION.match(text):
            found[name] = text
        else:
            inner.note(name, f"must be a Debian version such as '1.0-1196-1', got {value!r}.")
    return found


def _want_files(fields: Fields) -> Sequence[str]:
    value = fields.get("files")
    if value is None:
        return ()
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return value
    fields.note("files", f"must be a list of .deb files, got {value!r}.")
    return ()


def _want_repository(fields: Fields) -> str:
    text = want_text(fields, "repository", None)
    if text is None:
        return ""
    if re.fullmatch(r"https?://[^\s/]\S*", text):
        return text.rstrip("/")
    fields.note("repository", f"must be an address that begins with http(s)://, got {text!r}.")
    return ""


def _want_key(fields: Fields) -> str:
    text = want_text(fields, "key", None)
    fingerprint = parse_fingerprint(text or "")
    if text is not None and fingerprint is None:
        fields.note("key", f"must be a fingerprint of 40 hexadecimal digits, got {text!r}.")
    return fingerprint or ""


def _under(base: Path, path: str) -> str:
    return str((base / Path(path).expanduser()).resolve())


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)
