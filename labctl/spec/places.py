"""Where the keys of a lab.conf stand: the line of each, which pyhocon does not keep."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from labctl.spec.readers import normal

# What has a meaning of its own in HOCON.  `${...}` is a substitution and no object.
_TOKEN = re.compile(
    r'(?P<text>"""(?:.|\n)*?"""+|"(?:[^"\\\n]|\\.)*")'
    r"|(?P<comment>(?:#|//)[^\n]*)|(?P<substitution>\$\{[^}\n]*\})"
    r"|(?P<set>\+?=|:)|(?P<open>[{\[])|(?P<close>[}\]])|(?P<end>[\n,])|(?P<word>[^\s]|[^\S\n])"
)


@dataclass(slots=True)
class _Reader:
    """The position in a file: the objects around it, and the key that is being read."""

    found: dict[str, int] = field(default_factory=dict)
    around: list[str | None] = field(default_factory=lambda: [""])
    """The path of each open object; None for a list, whose objects are no keys."""
    key: str = ""
    key_line: int = 0
    in_value: bool = False
    value_begun: bool = False
    broken: bool = False
    """A line ended after the key: only an object may still follow, else this was no key."""

    def read(self, kind: str, piece: str, *, line: int) -> None:
        match kind:
            case "text" | "word" | "substitution":
                self._read_text(piece, line=line)
            case "set" if not self.in_value:
                self._note()
                self.in_value, self.value_begun = True, False
            case "open":
                self._open(piece)
            case "close" if len(self.around) > 1:
                self.around.pop()
                self.key, self.in_value = "", self.around[-1] is None
                self.value_begun = True
            case "end" if self.around[-1] is not None:
                self._end(piece)

    def _read_text(self, piece: str, *, line: int) -> None:
        if not piece.strip():
            self.key += piece
            return
        if self.in_value:
            self.value_begun = True
            return
        if self.broken or not self.key.strip():
            self.key, self.key_line, self.broken = "", line, False
        self.key += piece

    def _end(self, piece: str) -> None:
        if piece == "\n" and self.in_value and not self.value_begun:
            return  # The value is on the next line.
        self.broken = piece == "\n" and not self.in_value
        if not self.broken:
            self.key = ""
        self.in_value = False

    def _open(self, piece: str) -> None:
        if not self.in_value and self.key.strip():
            self._note()
        is_object = piece == "{" and self.around[-1] is not None
        # The file itself may be in braces.
        self.around.append(self._path() if is_object else None)
        self.in_value = not is_object
        self.key, self.broken = "", False

    def _path(self) -> str:
        own = ".".join(part.strip().strip('"') for part in self.key.strip().split("."))
        return normal(".".join(filter(None, (self.around[-1], own))))

    def _note(self) -> None:
        if self.around[-1] is not None and self.key.strip():
            self.found[self._path()] = self.key_line


def key_lines(text: str) -> dict[str, int]:
    """The line, from 1, at which each key path was set last; objects count as keys, too.

    Keys of included files are not among them.
    """
    reader, line = _Reader(), 1
    for token in _TOKEN.finditer(text):
        reader.read(token.lastgroup or "word", token[0], line=line)
        line += token[0].count("\n")
    return reader.found
