"""Named sections of an answer: how one script on a node reports several things.

A section begins with a line of its own: MARK and the section's name.  The line end before that line
does not belong to the section above, so a program's output is kept to the byte, whether its last
line ended or not.  MARK is long enough not to occur in a configuration or log that a script prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MARK = "=== labctl: "

FUNCTION = f"section() {{ printf '\\n{MARK}%s\\n' \"$*\"; }}\n"
"""The shell function that begins a section; it comes before every script that uses it."""

END = "end"
"""The section that a script prints last if it matters whether the script finished."""


@dataclass(frozen=True, slots=True)
class Sections:
    """The sections of an answer, by name, in order; text before the first is ignored."""

    texts: Mapping[str, str] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.texts

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)

    def text(self, name: str) -> str:
        """The section's text as it was printed; empty if there is no such section."""
        return self.texts.get(name, "")

    def lines(self, name: str) -> list[str]:
        """Its lines without their ends."""
        return self.text(name).splitlines()

    def family(self, kind: str) -> dict[str, list[str]]:
        """The lines, by title, of the sections named '<kind> <title>'."""
        head = f"{kind} "
        return {name.removeprefix(head): self.lines(name) for name in self if name.startswith(head)}


def parse_sections(output: str) -> Sections:
    """The sections in a script's output; the texts of two with the same name are joined."""
    texts: dict[str, str] = {}
    for part in f"\n{output}".split(f"\n{MARK}")[1:]:
        name, _, text = part.partition("\n")
        texts[name] = texts.get(name, "") + text
    return Sections(texts)


def render_sections(texts: Mapping[str, str]) -> str:
    """The output of a script with these sections."""
    return "".join(f"\n{MARK}{name}\n{text}" for name, text in texts.items())
