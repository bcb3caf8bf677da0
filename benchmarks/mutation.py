#!/usr/bin/env python3
"""Which changes of the code would no test notice?  Mutation tests of the code that decides.

    .venv/bin/python benchmarks/mutation.py                 # every group of mutants/groups.toml
    .venv/bin/python benchmarks/mutation.py spec render     # these groups
    .venv/bin/python benchmarks/mutation.py --show spec     # what is left of the last run

mutmut changes one thing at a time (an operator, a constant, a default), and runs the unit tests
that come by that place.  A change is noticed if one of them fails, if it never ends, or if mypy
refuses it, as bin/test would.  At least nine of ten must be noticed in each group.  Every other one
must fit a reason of mutants/reasons.toml: why it changes nothing that anybody could see, or
nothing that is worth a test.  Ends with status 1 if that is not so.

All tests run in copies of one process, in which they have run before.  What a test module has in a
cache, or made when it was imported, is not changed by a mutant: let the test make it.

mutmut comes from PyPI into an environment of its own.  It works on a copy of what git knows, in
.lab/benchmarks/mutation, and goes on there if it is started again with the same files.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.environments import ensure_program  # noqa: E402
from benchmarks.results import run_timed  # noqa: E402
from labctl.core.errors import LabError  # noqa: E402
from labctl.core.plain import from_plain  # noqa: E402

MUTANTS = Path(__file__).resolve().parent / "mutants"
SCRATCH = ROOT / ".lab" / "benchmarks" / "mutation"
ENVIRONMENT = ROOT / ".lab" / "benchmarks" / "mutation-env"
MARKS = "not lab and not engine and not vm and not browser and not long and not slow"
IMPORTED = "imported.json"
MUTANT = re.compile(r"__mutmut_(orig|\d+)\b")
"""What mutmut adds to the name of a function."""
AIM = 0.9
"""The part that tests have to notice."""


class Fate(StrEnum):
    """What became of a mutant."""

    NOTICED = "noticed"
    ENDLESS = "never ended"
    REFUSED = "refused by mypy"
    SURVIVED = "survived"
    UNTESTED = "no test comes there"
    UNKNOWN = "unknown"


# Exit statuses in mutmut's files: pytest's, a limit of CPU time that ended it, its own.
FATES: Mapping[int, Fate] = {
    **dict.fromkeys((1, 3), Fate.NOTICED),
    **dict.fromkeys((36, -24, 24, 152, 255), Fate.ENDLESS),
    37: Fate.REFUSED,
    0: Fate.SURVIVED,
    **dict.fromkeys((5, 33), Fate.UNTESTED),
}
LEFT = (Fate.SURVIVED, Fate.UNTESTED)


@dataclass(frozen=True, slots=True)
class Group:
    """Code (patterns of files), and the tests (paths) that have to notice its changes.

    `imported` are functions (patterns of `module.function`) that run while modules are imported.
    mutmut imports them once, before it changes anything, so their mutants are tried here, each in
    a process of its own.
    """

    code: tuple[str, ...]
    tests: tuple[str, ...]
    imported: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some mutants may survive.

    `where` is a pattern of `module.function`, or of `module.Class.method`, `change` a regular
    expression that one of the changed lines must match; `why` is for people.
    """

    why: str
    change: str = ""
    where: str = "*"

    def fits(self, mutant: Mutant) -> bool:
        return fnmatchcase(mutant.place, self.where) and any(
            re.search(self.change, line) for line in mutant.change
        )


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: where, the lines that differ (with `-` or `+`), and what became of it."""

    name: str
    place: str
    change: tuple[str, ...]
    fate: Fate


def load_groups() -> dict[str, Group]:
    """The groups by name."""
    text = (MUTANTS / "groups.toml").read_text(encoding="utf-8")
    return {name: from_plain(Group, value) for name, value in tomllib.loads(text).items()}


def load_reasons() -> list[Reason]:
    """All reasons, in the order of the file."""
    text = (MUTANTS / "reasons.toml").read_text(encoding="utf-8")
    return [from_plain(Reason, each) for each in tomllib.loads(text)["reason"]]


def mutmut() -> Path:
    """mutmut beside all that tests need, in an environment that is made if it is missing."""
    locked = ("--no-deps", "--require-hashes", "-r", ROOT / "requirements-dev.lock")
    return ensure_program(ENVIRONMENT, "mutmut", locked, ("-r", MUTANTS / "requirements.txt"))


def known_files() -> list[str]:
    """What git knows of this checkout, changed or not, and what is new and not ignored."""
    argv = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = run_timed(argv)[1].split("\0")
    return sorted({name for name in names if name and (ROOT / name).is_file()})


def copy_for(name: str, group: Group, files: Sequence[str]) -> Path:
    """A copy of the checkout with mutmut's settings in it; the same one for the same files.

    Copies of earlier runs of the group are removed.
    """
    settings = render_settings(group, files)
    digest = hashlib.sha256(settings.encode())
    for file in files:
        if (ROOT / file).is_relative_to(MUTANTS):  # another reason changes no mutant's fate
            continue
        digest.update(file.encode() + b"\0" + (ROOT / file).read_bytes())
    folder = SCRATCH / name / digest.hexdigest()[:16]
    if not (folder / "setup.cfg").exists():
        shutil.rmtree(folder.parent, ignore_errors=True)
        for file in files:
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, target)
        (folder / "setup.cfg").write_text(settings, encoding="utf-8")
    return folder


def render_settings(group: Group, files: Sequence[str]) -> str:
    """mutmut's part of setup.cfg."""
    tops = sorted({name.partition("/")[0] for name in files} - {"labctl"})
    python = ENVIRONMENT / "bin" / "python"
    mypy = [str(python), "-m", "mypy", "labctl", "--output", "json"]
    settings = {
        "source_paths": ["labctl/"],
        "only_mutate": group.code,
        "pytest_add_cli_args_test_selection": ["-m", MARKS, *group.tests],
        "pytest_add_cli_args": ["-p", "no:cacheprovider"],
        "also_copy": tops,
        "type_check_command": [*mypy, "--disable-error-code", "unused-ignore"],
        "use_setproctitle": ["false"],
    }
    lists = (f"{key} =\n" + "".join(f"    {each}\n" for each in settings[key]) for key in settings)
    return "[mutmut]\n" + "".join(lists)


def run_group(folder: Path, *, processes: int) -> None:
    """All mutants that have not been tried yet.  Errors: LabError that names the log."""
    argv = [mutmut(), "run", "--max-children", str(processes)]
    log = folder / "mutmut.log"
    print(f"  {log}", flush=True)
    with log.open("ab") as out:
        done = subprocess.run(
            argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False
        )
    if done.returncode != 0:
        raise LabError(f"mutmut ended with status {done.returncode}; see '{log}'.")


def try_imported(folder: Path, group: Group) -> None:
    """What runs while modules are imported: its mutants, each in a process of its own."""
    tried = load_codes(folder / IMPORTED)
    argv = [str(ENVIRONMENT / "bin" / "python"), "-m", "pytest", "-x", "-q", "-m", MARKS]
    for mutant in read_mutants(folder):
        ours = any(fnmatchcase(mutant.place, pattern) for pattern in group.imported)
        if not ours or mutant.fate not in LEFT or mutant.name in tried:
            continue
        done = subprocess.run(
            [*argv, "-p", "no:cacheprovider", *group.tests],
            cwd=folder / "mutants",
            env=os.environ | {"MUTANT_UNDER_TEST": mutant.name},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        # 4: a conftest.py could not be imported.
        tried[mutant.name] = 1 if done.returncode in (1, 2, 3, 4) else done.returncode
        (folder / IMPORTED).write_text(json.dumps(tried), encoding="utf-8")


def load_codes(path: Path) -> dict[str, int | None]:
    """The exit status for each mutant in one of these files; None for one that was not tried."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    codes: dict[str, int | None] = found.get("exit_code_by_key", found)
    return codes


def read_mutants(folder: Path) -> Iterator[Mutant]:
    """What was kept of the last run in a copy."""
    imported = load_codes(folder / IMPORTED)
    for meta in sorted((folder / "mutants").rglob("*.py.meta")):
        codes = load_codes(meta)
        if codes:
            codes |= {name: code for name, code in imported.items() if name in codes}
            yield from read_file(meta.with_suffix("").read_text("utf-8"), codes)


def read_file(source: str, codes: Mapping[str, int | None]) -> Iterator[Mutant]:
    """The mutants of one file, which holds all of them as functions beside the original."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = {each.name: each for each in ast.walk(ast.parse(source)) if isinstance(each, kinds)}
    for name, code in codes.items():
        module, _, function = name.rpartition(".")
        base = function.rpartition("__mutmut_")[0]
        old, new = (functions.get(each) for each in (f"{base}__mutmut_orig", function))
        change = tuple(_changed(old, new)) if old and new else ()
        # 'x_name', or 'xǁClassǁname' for a method.
        place = ".".join([module, *base.removeprefix("x").removeprefix("_").strip("ǁ").split("ǁ")])
        fate = FATES.get(code, Fate.UNKNOWN) if code is not None else Fate.UNKNOWN
        yield Mutant(name, place, change, fate)


def _changed(old: ast.AST, new: ast.AST) -> Iterator[str]:
    texts = [MUTANT.sub("", ast.unparse(each)).split("\n") for each in (old, new)]
    for line in difflib.unified_diff(*texts, lineterm="", n=0):
        if not line.startswith(("---", "+++", "@@")):
            yield line


@dataclass(frozen=True, slots=True)
class Score:
    """A group's mutants, counted by what became of them, and those for which there is no reason."""

    fates: Counter[Fate]
    reasons: Counter[str]
    unexplained: tuple[Mutant, ...]

    @property
    def part(self) -> float:
        """The part that was noticed, of those of which it is known."""
        left = sum(self.fates[fate] for fate in LEFT)
        known = self.fates.total() - self.fates[Fate.UNKNOWN]
        return 1 - left / known if known else 0.0

    @property
    def good(self) -> bool:
        return self.part >= AIM and not self.unexplained and not self.fates[Fate.UNKNOWN]


def judge(mutants: Sequence[Mutant], reasons: Sequence[Reason]) -> Score:
    """Count, and look for a reason for each that is left."""
    found: Counter[str] = Counter()
    unexplained = []
    for mutant in mutants:
        if mutant.fate in LEFT:
            why = next((reason.why for reason in reasons if reason.fits(mutant)), None)
            if why is None:
                unexplained.append(mutant)
            else:
                found[why] += 1
    return Score(Counter(mutant.fate for mutant in mutants), found, tuple(unexplained))


def tell(name: str, score: Score, *, show: bool) -> None:
    """A group in words; with `show`, each change for which there is no reason."""
    fates = ", ".join(f"{count} {fate}" for fate, count in score.fates.most_common())
    print(f"{name}: {score.part:.1%} of {score.fates.total()} noticed ({fates})")
    for why, count in score.reasons.most_common():
        print(f"  {count:4} left: {why}")
    if score.unexplained:
        print(f"  {len(score.unexplained):4} left without a reason", "" if show else "(--show)")
    for mutant in score.unexplained if show else ():
        print(f"## {mutant.name}: {mutant.fate}", *mutant.change, sep="\n  ")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    groups = load_groups()
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(groups)}")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--show", action="store_true", help="run nothing, show what is left")
    arguments = parser.parse_args()
    unknown = set(arguments.groups) - set(groups)
    if unknown:
        parser.error(f"There is no group {', '.join(sorted(unknown))}.")
    files, reasons, good = known_files(), load_reasons(), True
    for name in arguments.groups or groups:
        if arguments.show:
            folder = next((SCRATCH / name).glob("*"), SCRATCH / name)
        else:
            folder = copy_for(name, groups[name], files)
            run_group(folder, processes=arguments.processes)
            try_imported(folder, groups[name])
        score = judge(tuple(read_mutants(folder)), reasons)
        tell(name, score, show=arguments.show)
        good = good and score.good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
