"""Where each value of a spec comes from: a flag, a line of lab.conf, the last run, the default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, assert_never

from labctl.core.errors import Problem
from labctl.core.usertext import load_text
from labctl.spec.packages import KEPT, parse_packages
from labctl.spec.places import key_lines
from labctl.spec.readers import normal
from labctl.topology.keys import KeyGroup, declared
from labctl.topology.spec import Spec


class Source(StrEnum):
    """The kinds of places that a value can come from."""

    DEFAULT = "default"
    FILE = "file"
    FLAG = "flag"
    LAST_RUN = "last run"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value comes from; `line` is None if the file includes the one that has the key."""

    source: Source
    flag: str | None = None
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        match self.source:
            case Source.FLAG:
                return f"--{self.flag}"
            case Source.FILE:
                return f"{self.file}, line {self.line}" if self.line else f"{self.file}"
            case Source.LAST_RUN:
                return "the lab's last run"
            case Source.DEFAULT:
                return "default"
            case _:
                assert_never(self.source)


@dataclass(frozen=True, slots=True)
class Origins:
    """The origins of all values of one spec.

    `flags` are the flags that were given, by the key path that they set; `given` the key paths in
    the data below them.  `file` is the lab.conf, None if the data is that of the last run.
    """

    flags: Mapping[str, str] = field(default_factory=dict)
    given: frozenset[str] = frozenset()
    file: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, config: Path | None, data: Mapping[str, Any], flags: Mapping[str, Any]) -> Origins:
        """The origins for a file's or the last run's data, and the flags over it."""
        lines = key_lines(load_text(config)) if config is not None else {}
        file = str(config) if config is not None else None
        return cls(dict(_flag_paths(flags)), frozenset(_data_paths(data)), file, lines)

    def find(self, path: str) -> Origin:
        """Where the value of a key comes from."""
        if (flag := self.flags.get(path)) is not None:
            return Origin(Source.FLAG, flag=flag)
        if path not in self.given:
            return Origin(Source.DEFAULT)
        if self.file is None:
            return Origin(Source.LAST_RUN)
        return Origin(Source.FILE, file=self.file, line=self._line(path))

    def located(self, problem: Problem) -> Problem:
        """The problem with the flag, or the key and its line, instead of the key alone."""
        flag = next((self.flags[path] for path in _upward(problem.key) if path in self.flags), None)
        if flag is not None:
            return Problem(f"--{flag}", problem.message, problem.hint)
        line = self._line(problem.key)
        if line is None:
            return problem
        return Problem(f"{problem.key} (line {line})", problem.message, problem.hint)

    def sources(self, problems: list[Problem]) -> str:
        """What has these problems, for the beginning of a sentence."""
        by_flag = [any(path in self.flags for path in _upward(it.key)) for it in problems]
        below = "the lab's last run" if self.file is None else f"'{self.file}'"
        if all(by_flag) or not (self.file or self.given):
            return "the command line"
        return f"{below}, with the command line," if any(by_flag) else below

    def _line(self, path: str) -> int | None:
        """The key's own line, else that of the object or the bare value that sets it."""
        return next((self.lines[each] for each in _upward(path) if each in self.lines), None)


def _upward(path: str) -> Iterator[str]:
    """A key path, and those of the objects around it."""
    while path:
        yield path
        path = path.rpartition(".")[0]


def _flag_paths(flags: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each key path that a given flag sets, with the flag."""
    for each in declared(Spec):
        key = each.key
        if key.flag is None or flags.get(key.flag) is None:
            continue
        yield key.path, key.flag
        if isinstance(key.kind, KeyGroup):
            inner = (it.key.name for it in declared(key.kind.of))
            yield from ((f"{key.path}.{name}", key.flag) for name in inner if name not in KEPT)
            chosen = parse_packages(str(flags[key.flag]))
            yield from ((f"{key.path}.{name}", key.flag) for name in chosen)


def _data_paths(data: Mapping[str, Any], *, around: str = "") -> Iterator[str]:
    """Each key path that has a value; one that is given by a bare value is among them."""
    bare = {each.key.top: each.key.path for each in declared(Spec) if each.key.bare}
    for name, value in data.items():
        path = f"{around}{normal(str(name))}"
        yield path
        if isinstance(value, Mapping):
            yield from _data_paths(value, around=f"{path}.")
        elif path in bare:
            yield bare[path]
        elif path == "packages":
            yield from (f"{path}.{inner}" for inner in parse_packages(str(value)))
