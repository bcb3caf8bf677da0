"""Which stand-in has met which original: data in `standins/contract/pairs.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from labctl.contract.table import FOLDER
from labctl.core.errors import LabError

NOT_RUN = "not run here"
"""The mark of a pair that nobody has run: no test can show what only a real run shows."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One thing that two packages say to each other.

    `entries` of the table describe its form; `tests` run it without any original; `seen` says where
    it was observed between this stand-in and this original, or that it was not.
    """

    name: str
    entries: tuple[str, ...]
    tests: tuple[str, ...]
    seen: str


@dataclass(frozen=True, slots=True)
class PackagePair:
    """An original among stand-ins."""

    original: str
    stand_in: str
    exchanges: tuple[Exchange, ...]


def load_pairs(file: Path = FOLDER / "pairs.toml") -> list[PackagePair]:
    """The matrix, in the order of the file.  Errors: LabError for an unknown or missing key."""
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    try:
        return [
            PackagePair(
                original=raw["original"],
                stand_in=raw["stand_in"],
                exchanges=tuple(
                    Exchange(
                        name=each["name"],
                        entries=tuple(each.get("entries", ())),
                        tests=tuple(each.get("tests", ())),
                        seen=each["seen"],
                    )
                    for each in raw["exchange"]
                ),
            )
            for raw in data["pair"]
        ]
    except KeyError as error:
        raise LabError(f"'{file}' lacks the key {error}.") from error


def render_pairs(pairs: list[PackagePair]) -> str:
    """The matrix for people."""
    blocks = []
    for pair in pairs:
        lines = [f"original {pair.original} with stand-in {pair.stand_in}"]
        for one in pair.exchanges:
            lines.append(f"    {one.name:<34} {one.seen}")
            if one.entries:
                lines.append(f"        table  {', '.join(one.entries)}")
            if one.tests:
                lines.append(f"        tests  {', '.join(one.tests)}  (without originals)")
        blocks.append("\n".join(lines))
    exchanges = [one for pair in pairs for one in pair.exchanges]
    unseen = sum(one.seen == NOT_RUN for one in exchanges)
    blocks.append(f"{len(exchanges)} exchanges in {len(pairs)} pairs, {unseen} of them {NOT_RUN}.")
    return "\n\n".join(blocks)
