"""What verbs tell programs with `--json`, where no lower layer has a record of it.

Their schemas are in docs/schemas/, made by `labctl.cli.schemas`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from labctl.core.critical import PathStep
from labctl.core.plain import to_plain
from labctl.training.checks.checked import Checked


def tell(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(to_plain(value), indent=2))


@dataclass(frozen=True, slots=True)
class UpTold:
    """A lab that is up: seconds by phase, and those that were expected, if any were.

    `path` are the steps that held up the end, in order.
    """

    lab: str
    ready: bool
    seconds: Mapping[str, float]
    path: tuple[PathStep, ...]
    expected: Mapping[str, float] | None
    stand_ins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabTold:
    """One of many labs: its network, its web address and its student's page.

    `problem` and `log` say why it is not ready.
    """

    lab: str
    ready: bool
    seconds: float
    network: str
    web: str
    handout: str | None
    problem: str | None
    log: str | None


@dataclass(frozen=True, slots=True)
class UpManyTold:
    """Many labs; `index` is the page that links to all hand-outs, if there are any."""

    name: str
    labs: tuple[LabTold, ...]
    index: str | None


@dataclass(frozen=True, slots=True)
class PackageTold:
    """A package in an image: its version, and where it came from."""

    version: str
    source: str


@dataclass(frozen=True, slots=True)
class BuildTold:
    """Images by role, and the packages in them."""

    images: Mapping[str, str]
    packages: Mapping[str, PackageTold]


@dataclass(frozen=True, slots=True)
class BundleTold:
    """A lab that was written to a folder: its size in bytes, and a word for this very bundle."""

    folder: str
    lab: str
    provider: str
    id: str
    files: int
    bytes: int
    stand_ins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileTold:
    """What is wrong with a file of a bundle: its path, and the end of a sentence about it."""

    path: str
    said: str


@dataclass(frozen=True, slots=True)
class BundleVerifiedTold:
    """Whether a bundle is whole; notes are no problems."""

    folder: str
    lab: str
    provider: str
    good: bool
    files: int
    bytes: int
    problems: tuple[FileTold, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RenderTold:
    """The folder of rendered files, and the paths on each node."""

    lab: str
    folder: str
    nodes: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class LogsTold:
    """The folder to which logs were copied, and the file of each node."""

    lab: str
    folder: str
    nodes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NodeLogTold:
    """What one node has logged, by section: the path of a file, or what was asked.

    `problem` says why the node could not be asked; empty if it could.
    """

    lab: str
    node: str
    sections: Mapping[str, str]
    problem: str


@dataclass(frozen=True, slots=True)
class ValueTold:
    """The value of a key, and where it comes from: a flag, a file and its line, or neither."""

    value: Any
    source: str
    flag: str | None
    file: str | None
    line: int | None


@dataclass(frozen=True, slots=True)
class InitTold:
    """The lab.conf that was written, and what it sets."""

    template: str
    file: str
    settings: Mapping[str, bool | int | str]


@dataclass(frozen=True, slots=True)
class ImageTold:
    """An image: its kind, who can start it, and what uses it."""

    reference: str
    role: str
    created: str
    size: int
    users: tuple[str, ...]
    kind: str
    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrunedTold:
    """Images that were removed (or, with `dry_run`, would be), and what failed bakes had left."""

    images: tuple[str, ...]
    leftovers: tuple[str, ...]
    dry_run: bool


@dataclass(frozen=True, slots=True)
class SpecTold:
    """A spec of an end-to-end suite; `not_run` says why it cannot be run here."""

    name: str
    browsers: int
    not_run: str


@dataclass(frozen=True, slots=True)
class CheckTold:
    """A check of this machine or of a lab; `name` is what was checked, or where something is wrong.

    Only a finding has an id, a reason, a cure and a page.
    """

    name: str
    status: str
    what: str
    id: str | None
    why: str | None
    cure: str | None
    page: str | None


@dataclass(frozen=True, slots=True)
class DoctorTold:
    """What `--fix` changed, in sentences, and what was found after that."""

    changed: tuple[str, ...]
    checks: tuple[CheckTold, ...]


@dataclass(frozen=True, slots=True)
class DrillTold:
    """A drill: its fault, what is watched, what upstream does today, and its budget."""

    name: str
    title: str
    fault: str
    undone: str
    watched: str
    upstream: str
    weakness: str | None
    budget_seconds: float
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaptureTold:
    """A recording: its file, how many packets it has, and how many each node's kernel dropped."""

    file: str
    packets: int
    dropped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ExerciseTold:
    """An exercise: what it needs, how many hints it has, and how far this lab has come with it."""

    name: str
    title: str
    minutes: int
    bridges: int
    vnodes: int
    hints: int
    standing: str


@dataclass(frozen=True, slots=True)
class ClassCheckTold:
    """What the checks of an exercise found: each sentence once, and check by check."""

    exercise: str
    solved: bool
    wrong: tuple[str, ...]
    checks: tuple[Checked, ...]
