"""HOCON files as plain trees, and checked reading of their values.

The file is read by ruby-hocon, which the originals depend on too, in one call: the library
rather than the `hocon` command, because the command does not resolve substitutions.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None
T = TypeVar("T")

_RUBY = 'require "hocon"; require "json"; puts JSON.generate(Hocon.load(ARGV[0]))'
_UNITS = {
    "": 0.001, "ns": 1e-9, "us": 1e-6, "ms": 0.001, "milli": 0.001, "millisecond": 0.001,
    "s": 1.0, "second": 1.0, "m": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0,
    "d": 86400.0, "day": 86400.0,
}  # fmt: skip


class ConfigError(Exception):
    """The configuration cannot be read, or a value has the wrong shape."""


def start_reading(path: Path) -> subprocess.Popen[bytes]:
    """Start ruby on `path`; the caller may load its own modules meanwhile."""
    argv = ["ruby", "-e", _RUBY, str(path)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def load_started(reading: subprocess.Popen[bytes]) -> Config:
    """The configuration that `start_reading` began to read."""
    out, err = reading.communicate(timeout=30)
    if reading.returncode != 0:
        lines = err.decode(errors="replace").strip().splitlines() or ["no message"]
        raise ConfigError(lines[0])
    tree = json.loads(out)
    if not isinstance(tree, dict):
        raise ConfigError("the top level is not an object")
    return Config(tree)


def parse_duration(value: Json) -> float:
    """Seconds of a HOCON duration: `10 seconds`, `500ms`; a bare number is milliseconds."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ConfigError(f"not a duration: {value!r}")
    if str(value).strip().lower() in ("infinite", "infinity"):
        return float("inf")
    match = re.fullmatch(r"\s*([0-9.]+)\s*([a-zA-Z]*)\s*", str(value))
    unit = match and (match[2] if match[2] in _UNITS else match[2].removesuffix("s"))
    if not match or unit not in _UNITS:
        raise ConfigError(f"not a duration: {value!r}")
    return float(match[1]) * _UNITS[str(unit)]


def parse_bool(value: Json) -> bool:
    """A boolean as Typesafe config reads it: also the words, in quotes or not."""
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise ConfigError(f"not a boolean: {value!r}")


class Config:
    """A tree read by dotted path; a missing or null key gives the default."""

    def __init__(self, tree: Mapping[str, Json]) -> None:
        self.tree = tree

    def get(self, path: str) -> Json:
        """The raw value at `path`, or None."""
        node: Json = dict(self.tree)
        for part in path.split("."):
            if not isinstance(node, dict):
                return None
            node = node.get(part)
        return node

    def section(self, path: str) -> dict[str, Json]:
        """The object at `path`, empty when there is none."""
        node = self.get(path)
        return node if isinstance(node, dict) else {}

    def _read(self, path: str, parse: Callable[[Json], T], default: T) -> T:
        value = self.get(path)
        if value is None:
            return default
        try:
            return parse(value)
        except (ConfigError, ValueError, TypeError) as error:
            raise ConfigError(f"{path}: {error}") from error

    def text(self, path: str, default: str = "") -> str:
        """The value at `path` as text."""
        return self._read(path, str, default)

    def whole(self, path: str, default: int) -> int:
        """The value at `path` as a whole number."""
        return self._read(path, lambda value: int(str(value)), default)

    def number(self, path: str, default: float) -> float:
        """The value at `path` as a number."""
        return self._read(path, lambda value: float(str(value)), default)

    def flag(self, path: str, default: bool) -> bool:
        """The value at `path` as a boolean."""
        return self._read(path, parse_bool, default)

    def seconds(self, path: str, default: float) -> float:
        """The duration at `path` in seconds."""
        return self._read(path, parse_duration, default)

    def texts(self, path: str) -> list[str]:
        """The list of texts at `path`; a single text counts as a list of one."""
        value = self.get(path)
        if value is None:
            return []
        return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def config_path(properties: str, default: Path) -> Path:
    """The configuration file named by `-Dconfig.file=` in JAVA_SYS_PROPS, else `default`."""
    match = re.search(r"-Dconfig\.file=(\S+)", properties)
    return Path(match[1]) if match else default


def parse_properties(text: str) -> dict[str, str]:
    """The keys of a Java properties file, as far as sip-communicator.properties uses them."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if line and line[0] not in "#!" and "=" in line:
            key, _, value = line.partition("=")
            found[key.strip()] = value.strip().replace("\\:", ":").replace("\\=", "=")
    return found
