"""An exercise as it stands in its folder: `exercise.toml`, the story, the hints and the scripts."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl.core.errors import LabError, UsageError
from labctl.topology.places import IS_CHECKOUT, PROJECT, ROOT

FOLDER = ROOT / "training"
OWN_FOLDER = FOLDER if IS_CHECKOUT else PROJECT / "training"
"""Where new exercises go: what is installed may be closed to this user."""
FILE, STORY, HINTS = "exercise.toml", "story.md", "hints.md"
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
CALL = "call"
"""In `on`: the node whose bridge the participants of this step are on."""
NOTED = "noted"
"""In `on`: the node of the bridge that an earlier step's call was on."""
KEYS = frozenset({"title", "minutes", "bridges", "vnodes", "most_vnodes", "settled", "start",
                  "solve", "undo", "check"})  # fmt: skip
STEP_KEYS = frozenset({"on", "run", "people", "moved", "certificate", "days", "names"})


@dataclass(frozen=True, slots=True)
class ExerciseStep:
    """A script that runs as root on a node, or a certificate of the lab's CA that is put there.

    `people` are in a call while the script runs; with `moved`, they wait until the call has come
    to another bridge.
    """

    on: str
    run: str = ""
    people: int = 0
    moved: bool = False
    certificate: str = ""
    days: int = 0
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckCall:
    """A check of the library by its name, with what the exercise says about it."""

    name: str
    given: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise; `bridges` and `vnodes` are how many a lab must have.

    `settled` says that its fault shows in no signal of readiness, so that the start can wait until
    all of them are seen again."""

    folder: Path
    title: str
    minutes: int
    story: str
    hints: tuple[str, ...]
    start: tuple[ExerciseStep, ...]
    solve: tuple[ExerciseStep, ...]
    undo: tuple[ExerciseStep, ...]
    checks: tuple[CheckCall, ...]
    bridges: int = 1
    vnodes: int = 0
    most_vnodes: int | None = None
    settled: bool = False

    @property
    def name(self) -> str:
        return self.folder.name

    def script(self, step: ExerciseStep) -> str:
        return (self.folder / step.run).read_text(encoding="utf-8")


def list_exercises(folder: Path = FOLDER) -> list[Exercise]:
    """Every exercise of a folder, by name.  Errors: LabError with all that is wrong with them."""
    names = sorted(path.parent.name for path in folder.glob(f"*/{FILE}"))
    found, problems = [], []
    for name in names:
        try:
            found.append(load_exercise(name, folder=folder))
        except LabError as error:
            problems.append(error.message)
    if problems:
        raise LabError("\n".join(problems))
    return found


def load_exercise(name: str, *, folder: Path = FOLDER) -> Exercise:
    """The exercise of that name.  Errors: UsageError if there is none, LabError if it is wrong."""
    path = folder / name / FILE
    if not NAME.fullmatch(name) or not path.is_file():
        names = sorted(one.parent.name for one in folder.glob(f"*/{FILE}"))
        near = difflib.get_close_matches(name, names, n=1)
        meant = f" Did you mean '{near[0]}'?" if near else ""
        hint = "'labctl class list' shows all exercises."
        raise UsageError(f"There is no exercise '{name}'.{meant}", hint=hint)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabError(f"Exercise '{name}': '{path}' cannot be read: {error}.") from error
    problems = list(_problems(data, path.parent))
    if problems:
        lines = "".join(f"\n    {line}" for line in problems)
        raise LabError(f"Exercise '{name}' ('{path}') is wrong:{lines}")
    return _exercise(data, path.parent)


def parse_hints(text: str) -> tuple[str, ...]:
    """The hints of a page, one for each second-level heading; what comes before is not shown."""
    parts = re.split(r"(?m)^## +", text)[1:]
    return tuple(part.partition("\n")[2].strip() or part.strip() for part in parts)


def _exercise(data: Mapping[str, Any], folder: Path) -> Exercise:
    return Exercise(
        folder=folder,
        title=data["title"],
        minutes=data["minutes"],
        story=(folder / STORY).read_text(encoding="utf-8").strip(),
        hints=parse_hints((folder / HINTS).read_text(encoding="utf-8")),
        start=_steps(data, "start"),
        solve=_steps(data, "solve"),
        undo=_steps(data, "undo"),
        checks=tuple(
            CheckCall(raw["is"], {key: value for key, value in raw.items() if key != "is"})
            for raw in data["check"]
        ),
        bridges=data.get("bridges", 1),
        vnodes=data.get("vnodes", 0),
        most_vnodes=data.get("most_vnodes"),
        settled=data.get("settled", False),
    )


def _steps(data: Mapping[str, Any], kind: str) -> tuple[ExerciseStep, ...]:
    return tuple(
        ExerciseStep(**{**raw, "names": tuple(raw.get("names", ()))}) for raw in data.get(kind, ())
    )


def _problems(data: Mapping[str, Any], folder: Path) -> Iterator[str]:
    yield from (f"unknown key '{key}'{_meant(key, KEYS)}" for key in sorted(set(data) - KEYS))
    if not isinstance(data.get("title"), str) or not data["title"].strip():
        yield "'title' must be a text"
    for key in ("minutes", "bridges", "vnodes", "most_vnodes"):
        value = data.get(key, None if key == "minutes" else 1)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            yield f"'{key}' must be a whole number"
    if not isinstance(data.get("settled", False), bool):
        yield "'settled' must be true or false"
    for file in (STORY, HINTS):
        if not (folder / file).is_file():
            yield f"'{file}' is missing"
    for kind in ("start", "solve", "undo"):
        steps = data.get(kind, [])
        if kind != "undo" and not steps:
            yield f"there is no '[[{kind}]]'"
        if not _is_tables(steps):
            yield f"'{kind}' must be tables: '[[{kind}]]'"
            continue
        for number, raw in enumerate(steps, start=1):
            where = f"{kind} {number}"
            yield from (f"{where}: {said}" for said in _step_problems(raw, folder))
    if not _is_tables(data.get("check")) or not data["check"]:
        yield "there is no '[[check]]'"
    elif any(not isinstance(raw.get("is"), str) for raw in data["check"]):
        yield "every '[[check]]' must say what it is: 'is = \"...\"'"


def _step_problems(raw: Mapping[str, Any], folder: Path) -> Iterator[str]:
    strange = sorted(set(raw) - STEP_KEYS)
    yield from (f"unknown key '{key}'{_meant(key, STEP_KEYS)}" for key in strange)
    kinds = {"on": str, "run": str, "certificate": str, "people": int, "days": int, "moved": bool}
    for key, kind in kinds.items():
        if key in raw and type(raw[key]) is not kind:
            yield f"'{key}' is not a {kind.__name__}"
    if not raw.get("on"):
        yield "'on' must name a node, or a vnode such as 'v1' for the node that holds it"
    if bool(raw.get("run")) == bool(raw.get("certificate")):
        yield "it needs either 'run' or 'certificate'"
    run = raw.get("run")
    if isinstance(run, str) and run and not (folder / run).is_file():
        yield f"'{run}' is missing"
    if raw.get("on") == CALL and not raw.get("people"):
        yield f"'on = \"{CALL}\"' needs 'people'"


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _meant(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
