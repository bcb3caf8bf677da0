"""Package sources, as `--packages`, `labctl gate` and lab.conf name them; keys of `packages`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labctl.core.errors import Problem
from labctl.core.openpgp import parse_fingerprint
from labctl.core.user import expand
from labctl.core.usertext import load_text
from labctl.spec.addresses import address_problem, is_address
from labctl.spec.readers import Fields, want_choice, want_object, want_text
from labctl.spec.versions import VERSION, VersionList, parse_versions
from labctl.topology.keys import declared
from labctl.topology.spec import VERSIONS_FILE, Packages, PackageSource, RepositoryChannel

KEPT = ("versions", "versions-file", "repository", "key")
"""Keys of lab.conf that a source on the command line does not change."""


def parse_packages(text: str) -> dict[str, Any]:
    """A source, such as `jitsi:testing`, as the keys of `packages`.

    `auto`, `stand-ins`, `jitsi`, `jitsi:CHANNEL`, `jitsi:VERSIONS-FILE`,
    `jitsi:CHANNEL:VERSIONS-FILE`, `debs:DIR`, `debs:FILE.deb,FILE.deb`; a file may be an address.
    """
    source, _, rest = text.partition(":")
    found: dict[str, Any] = {"source": source}
    if not rest:
        return found
    if source == PackageSource.DEBS:
        files = [part.strip() for part in rest.split(",") if part.strip()]
        several = (len(files) > 1 and not expand(rest).is_dir()) or files[0].endswith(".deb")
        several = several or is_address(files[0])
        return found | ({"files": files} if several else {"path": rest})
    return found | _parse_channel(source, rest)


def _parse_channel(source: str, rest: str) -> dict[str, Any]:
    """What follows a source that is a repository: a channel, a versions file, or both."""
    channel, colon, file = rest.partition(":")
    if colon and channel in list(RepositoryChannel):
        return {"channel": channel, "versions-file": file}
    if source == PackageSource.JITSI and re.search(r"[/.:]", rest):
        return {"versions-file": rest}
    return {"channel": rest}


def with_source(old: Any, text: str) -> dict[str, Any]:
    """`packages` of lab.conf, with its source replaced by one from the command line.

    Relative paths on the command line are relative to the current folder.
    """
    chosen = parse_packages(text)
    for key in ("path", "versions-file"):
        if key in chosen:
            chosen[key] = _absolute(chosen[key])
    if "files" in chosen:
        chosen["files"] = [
            file if is_address(file) else _absolute(file) for file in chosen["files"]
        ]
    values = {key.replace("_", "-"): value for key, value in old.items()} if _is_map(old) else {}
    return {key: values[key] for key in KEPT if key in values} | chosen


def want_packages(fields: Fields, *, base: Path) -> Packages:
    """Read `packages`: a source, or an object; relative paths are relative to `base`."""
    value = fields.values.get("packages")
    if isinstance(value, str):
        inner = Fields.of(parse_packages(value), fields.problems, fields.key("packages"))
    else:
        inner = want_object(fields, "packages")
    known = [each.key.name for each in declared(Packages)]
    inner.refuse_unknown([*known, VERSIONS_FILE.name])
    source = want_choice(inner, "source", PackageSource.AUTO)
    path = want_text(inner, "path", None)
    files = _want_files(inner)
    if source is PackageSource.DEBS and path is None and not files:
        inner.note("path", "must name the folder that holds the .deb files.", "debs:DIR")
    if path is not None and files:
        inner.note("files", "cannot be given together with 'packages.path'.")
    listed = _want_versions(inner, base=base)
    return Packages(
        source=source,
        channel=want_choice(inner, "channel", RepositoryChannel.STABLE),
        path=_under(base, path) if path is not None else None,
        versions=listed.versions,
        files=tuple(file if is_address(file) else _under(base, file) for file in files),
        repository=_want_repository(inner),
        key=_want_key(inner),
        others=listed.others,
    )


def _want_versions(fields: Fields, *, base: Path) -> VersionList:
    """Versions from the file and from the object; the object wins."""
    file = want_text(fields, "versions-file", None)
    listed = VersionList({})
    if file is not None:
        path = Path(_under(base, file))
        key = fields.key("versions-file")
        try:
            listed = parse_versions(load_text(path), fields.problems, name=f"'{path}'")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            hint = f"A channel is one of {', '.join(RepositoryChannel)}."
            fields.problems.append(Problem(key, f"'{path}' cannot be read: {reason}.", hint))
    inner = want_object(fields, "versions")
    for name, value in inner.values.items():
        text = str(value)
        if VERSION.match(text):
            listed.versions[name] = text
        else:
            inner.note(name, f"must be a Debian version such as '1.0-1196-1', got {value!r}.")
    return listed


def _want_files(fields: Fields) -> Sequence[str]:
    value = fields.get("files")
    if value is None:
        return ()
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        for problem in filter(None, map(address_problem, value)):
            fields.note("files", problem)
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
    return str((base / expand(path)).resolve())


def _absolute(path: str) -> str:
    return str(expand(path).absolute())


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)
