"""Configuration of Jicofo and of the bridge: HOCON keys."""

from __future__ import annotations

import re

from labctl.drift.sections import Sections, flatten
from labctl.errors import LabError
from labctl.spec.hocon import parse_hocon

# pyhocon turns `20 seconds` into an object of a type that depends on what is installed; in quotes
# it is the same to Java's reader, and stays text.
_DURATION = re.compile(
    r"([=:]\s*)(\d+)\s*((?:nano|micro|milli)?s(?:econds?)?|[num]s|m(?:inutes?)?|h(?:ours?)?"
    r"|d(?:ays?)?)(?=\s*(?:[,}\n#]|//|$))"
)


def parse_sections(text: str, *, source: str) -> Sections:
    """The keys of a HOCON text, dotted, in one section.

    Errors: LabError that names `source` when the text is not HOCON.
    """
    try:
        return {(): flatten(parse_hocon(_DURATION.sub(r'\1"\2 \3"', text)))}
    except ValueError as error:
        raise LabError(f"{source} is not HOCON: {error}.") from error
