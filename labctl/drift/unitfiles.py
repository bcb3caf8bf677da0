"""Read systemd units: a unit file with the files that add to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from labctl.drift.sections import Place, Sections


def parse_sections(unit: str, texts: Iterable[str]) -> Sections:
    """The settings of a unit as systemd combines them; later texts add to earlier ones.

    A setting that is given twice has both values, because most of systemd's settings are lists.
    An empty value removes all earlier ones.
    """
    found: dict[Place, dict[str, frozenset[str]]] = {}
    for text in texts:
        for section, name, value in _settings(text):
            settings = found.setdefault((unit, section), {})
            old = settings.get(name, frozenset())
            settings[name] = old | {value} if value else frozenset()
    filled = {
        place: {name: values for name, values in settings.items() if values}
        for place, settings in found.items()
    }
    return {(unit,): {}, **filled} if filled else {}


def _settings(text: str) -> Iterator[tuple[str, str, str]]:
    """Section, name and value of every assignment."""
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith(("#", ";")) or not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            continue
        name, sign, value = line.partition("=")
        if sign:
            yield section, name.strip(), value.strip()
