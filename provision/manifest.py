"""The wanted state of a node: `tree/<node>/manifest.json` as checked values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from labctl.render.tree import ChangeCommand, Unit
from provision.problem import NodeProblem

FORMAT = 1
"""The format of manifests that labctl renders; one without a format has format 1."""

CHANGES = ("restart", "reload")
_NAME = re.compile(r"[a-z_][a-z0-9_-]*")
_UNIT = re.compile(r"[A-Za-z0-9:_.@-]+\.(service|socket|target|timer|path)")


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """A file or a directory with its owner; `sha256` is empty for a directory.

    A `kept` file belongs to a service that may rewrite it at any time (Prosody's data files).  It
    is placed if it is missing, or if the lab's content has changed since it was placed last.
    """

    path: str
    owner: str
    group: str
    mode: int
    sha256: str = ""
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that one node must have."""

    node: str
    files: tuple[ManifestEntry, ...] = ()
    dirs: tuple[ManifestEntry, ...] = ()
    links: Mapping[str, str] | None = None
    absent: tuple[str, ...] = ()
    commands: tuple[ChangeCommand, ...] = ()
    units: tuple[Unit, ...] = ()
    text: str = ""

    @property
    def targets(self) -> Mapping[str, str]:
        """Link path -> target."""
        return self.links or {}

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest as text."""
        return sha256(self.text.encode()).hexdigest()


def load_manifest(path: Path, *, node: str) -> Manifest:
    """The manifest in a file.  Errors: NodeProblem if it is missing or wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NodeProblem(node, "inspect", f"'{path}' is missing.") from None
    return parse_manifest(text, node=node)


def parse_manifest(text: str, *, node: str) -> Manifest:
    """The manifest as values.  Errors: NodeProblem that says what is wrong with it."""
    try:
        data = json.loads(text)
        if data.get("format", 1) != FORMAT:
            raise ValueError(f"its format is {data['format']!r}, not {FORMAT}")
        return Manifest(
            node=data["node"],
            files=tuple(_entry(item, item["sha256"]) for item in data.get("files", ())),
            dirs=tuple(_entry(item) for item in data.get("dirs", ())),
            links={_path(i["path"]): _text(i["target"]) for i in data.get("links", ())},
            absent=tuple(_path(path) for path in data.get("absent", ())),
            commands=tuple(
                ChangeCommand(_text(item["run"]), _texts(item["when"]))
                for item in data.get("commands", ())
            ),
            units=tuple(_unit(item) for item in data.get("units", ())),
            text=text if text.endswith("\n") else text + "\n",
        )
    except KeyError as error:
        raise NodeProblem(node, "inspect", f"Its manifest lacks {error}.") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise NodeProblem(node, "inspect", f"Its manifest is wrong: {error}.") from None


def _entry(item: Mapping[str, Any], digest: str = "") -> ManifestEntry:
    owner, group, mode = item["owner"], item["group"], int(str(item["mode"]), 8)
    for name in (owner, group):
        if not _NAME.fullmatch(name):
            raise ValueError(f"'{name}' is not the name of a user or group")
    return ManifestEntry(_path(item["path"]), owner, group, mode, digest, bool(item.get("kept")))


def _unit(item: Mapping[str, Any]) -> Unit:
    name, change = item["name"], item.get("change", "restart")
    if not _UNIT.fullmatch(name):
        raise ValueError(f"'{name}' is not the name of a unit")
    if change not in CHANGES:
        raise ValueError(f"unit '{name}': change '{change}' is not one of {CHANGES}")
    ports = tuple(int(port) for port in item.get("ports", ()))
    return Unit(name, int(item["stage"]), _texts(item.get("when", ())), change, ports)


def _path(value: str) -> str:
    path = _text(value)
    if not path.startswith("/") or "/../" in f"{path}/" or path.endswith("/"):
        raise ValueError(f"'{path}' is not an absolute path of a file")
    return path


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)


def _text(value: str) -> str:
    # The scripts on the node take lines with tabs between the fields; backslashes would make
    # sha256sum quote its output.
    if not value or any(char in value for char in "\n\t\\\0"):
        raise ValueError(f"{value!r} is empty or holds a tab, backslash or line end")
    return value
