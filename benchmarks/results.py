"""What all benchmarks share: figures with their spread, kept as JSON, compared with kept ones.

A benchmark notes its figures round by round, things that are compared in turn in the same run, and
ends with `Results.end`.  That prints medians with the least and the most, keeps a file with the
machine, the commit, the date and the load, and says loudly what is slower than in the kept file by
20 % or more.  What may be compared depends on where the kept file comes from:

    ratio    two things measured side by side: on any machine
    cpu      CPU time: on the same machine
    seconds  wall-clock time: on the same machine with about the same load
    other    only shown: counts, bytes

A file of another machine is refused unless `--other-machine` is given; then only ratios are judged.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from labctl.core.errors import LabError  # noqa: E402  after the path is known
from labctl.core.plain import from_plain, to_plain  # noqa: E402
from labctl.core.state import StateKind, load_state, save_state  # noqa: E402

KEPT = ROOT / ".lab" / "benchmarks"
"""Where results are kept without `--json`: a folder for each benchmark, a file for each run."""
WORSE = 1.2
"""The median that is so many times the kept one is told loudly."""
SAME_LOAD = 0.5
"""Load averages per processor that differ by more make seconds incomparable."""


class Unit(StrEnum):
    """What a figure is, which decides whether it may be compared; the texts are its units."""

    RATIO = "x"
    CPU = "CPU s"
    SECONDS = "s"
    OTHER = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, a value per round.  `unit` is printed; lower is better."""

    name: str
    kind: Unit
    values: tuple[float, ...]
    aim: float | None = None
    """The median that is wanted at most."""
    unit: str = ""
    """What is printed instead of the kind's own unit."""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        unit = self.unit or self.kind
        text = f"{self.name:<34} {_short(self.median):>8} {unit:<6}"
        if len(self.values) > 1:
            text += f" {_short(min(self.values))} to {_short(max(self.values))}"
        if self.aim is not None:
            reached = "reached" if self.median <= self.aim else "NOT reached"
            text += f"  (aim {_short(self.aim)}: {reached})"
        return text.rstrip()


@dataclass(frozen=True, slots=True)
class Machine:
    """What identifies a machine and its speed; the id is a digest, so files can be passed on."""

    id: str
    processor: str
    cores: int
    memory_mib: int

    def __str__(self) -> str:
        return f"{self.processor}, {self.cores} cores, {self.memory_mib} MiB"


@dataclass(frozen=True, slots=True)
class Record:
    """The content of a results file.  Load averages are those of one minute, before and after."""

    benchmark: str
    machine: Machine
    commit: str
    date: str
    load: tuple[float, float]
    figures: tuple[Figure, ...]


RECORD: StateKind[Record] = StateKind(
    format=1, parse=partial(from_plain, Record), remedy="Run the benchmark again."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one figure; `factor` is its median over the kept one."""

    name: str
    factor: float
    judged: bool
    why: str = ""

    @property
    def worse(self) -> bool:
        return self.judged and self.factor >= WORSE

    def __str__(self) -> str:
        change = f"{self.name}: {self.factor:.2f} of the kept result"
        if not self.judged:
            return f"{change}, not judged: {self.why}"
        return f"*** SLOWER *** {change}" if self.worse else change


def compare(new: Record, kept: Record, *, other_machine: bool = False) -> list[Verdict]:
    """The figures that both have.

    Errors: LabError if the kept ones are another benchmark's, or another machine's and
    `other_machine` is not set.
    """
    if new.benchmark != kept.benchmark:
        raise LabError(f"The kept result is of '{kept.benchmark}', not of '{new.benchmark}'.")
    same = new.machine == kept.machine
    if not same and not other_machine:
        raise LabError(
            f"The kept result is of another machine ({kept.machine}; this is {new.machine}).",
            hint="With '--other-machine' the ratios are compared, and nothing else.",
        )
    # A median of nothing has no part that anything else could be.
    before = {each.name: each for each in kept.figures if each.median > 0}
    found = []
    for figure in (each for each in new.figures if each.name in before):
        why = _incomparable(figure.kind, new, kept)
        factor = figure.median / before[figure.name].median
        found.append(Verdict(figure.name, factor, judged=not why, why=why))
    return found


def _incomparable(kind: Unit, new: Record, kept: Record) -> str:
    """Why figures of this kind must not be judged; empty if they may."""
    if kind is Unit.OTHER:
        return "it is no measure of speed"
    if kind is Unit.RATIO:
        return ""
    if new.machine != kept.machine:
        return "another machine"
    apart = abs(max(new.load) - max(kept.load)) / new.machine.cores
    if kind is Unit.SECONDS and apart > SAME_LOAD:
        return f"the load was {max(kept.load):.1f}, and is {max(new.load):.1f}"
    return ""


@dataclass(slots=True)
class Results:
    """The figures of one run of a benchmark, as they come."""

    benchmark: str
    _values: dict[str, list[float]] = field(default_factory=dict)
    _facts: dict[str, tuple[Unit, float | None, str]] = field(default_factory=dict)
    _load: float = field(default_factory=lambda: os.getloadavg()[0])

    def note(
        self,
        name: str,
        value: float,
        *,
        kind: Unit = Unit.SECONDS,
        aim: float | None = None,
        unit: str = "",
    ) -> float:
        """One more value of a figure; returns it."""
        self._facts[name] = (kind, aim, unit)
        self._values.setdefault(name, []).append(value)
        return value

    @contextmanager
    def timed(self, name: str, *, aim: float | None = None) -> Iterator[None]:
        """The wall-clock seconds of a block; nothing is noted if it fails."""
        began = time.monotonic()
        yield
        self.note(name, time.monotonic() - began, aim=aim)

    def median(self, name: str) -> float:
        """The median of what was noted.  Errors: KeyError."""
        return statistics.median(self._values[name])

    def latest(self, name: str) -> float:
        """What was noted last.  Errors: KeyError."""
        return self._values[name][-1]

    def ratio(self, name: str, *, over: str, under: str, aim: float | None = None) -> None:
        """`over` divided by `under`, round by round: both were measured in turn."""
        for one, other in zip(self._values[over], self._values[under], strict=True):
            self.note(name, one / other, kind=Unit.RATIO, aim=aim)

    def record(self) -> Record:
        figures = tuple(
            Figure(name, kind, tuple(self._values[name]), aim, unit)
            for name, (kind, aim, unit) in self._facts.items()
        )
        load = (round(self._load, 2), round(os.getloadavg()[0], 2))
        date = datetime.now(UTC).isoformat(timespec="seconds")
        return Record(self.benchmark, this_machine(), this_commit(), date, load, figures)

    def end(self, options: argparse.Namespace) -> int:
        """Print, keep and compare as the options of `add_options` say; returns an exit status."""
        record = self.record()
        before = options.against or newest(self.benchmark, machine=record.machine)
        for line in told(record):
            print(line)
        file = options.json or kept_file(record)
        file.parent.mkdir(parents=True, exist_ok=True)
        # Read first: both may be the same file.
        kept = load_state(before, RECORD) if before is not None else None
        save_state(file, RECORD, to_plain(record))
        print(f"kept in {file}")
        if kept is None:
            return 0
        verdicts = compare(record, kept, other_machine=options.other_machine)
        print(f"\ncompared with {before} ({kept.date}, {kept.commit})")
        for verdict in sorted(verdicts, key=lambda each: not each.worse):
            print(f"  {verdict}")
        return int(any(verdict.worse for verdict in verdicts))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that `Results.end` reads."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the figures are kept")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="FILE",
        help="kept figures to compare with; by default the newest of this machine",
    )
    parser.add_argument(
        "--other-machine",
        action="store_true",
        help="compare with figures of another machine: ratios only",
    )


def told(record: Record) -> Iterator[str]:
    """A record in words."""
    yield f"{record.benchmark}: {record.machine}; commit {record.commit}"
    yield f"load average {record.load[0]:.1f} before, {record.load[1]:.1f} after"
    for figure in record.figures:
        yield f"  {figure}"


def kept_file(record: Record) -> Path:
    """Where a record is kept without `--json`: files of a folder are in the order of time."""
    return KEPT / record.benchmark / f"{re.sub(r'[^0-9T]', '', record.date)}.json"


def newest(benchmark: str, *, machine: Machine, folder: Path | None = None) -> Path | None:
    """The newest kept result of a benchmark and this machine; unreadable files are left out."""
    for path in sorted((folder or KEPT / benchmark).glob("*.json"), reverse=True):
        try:
            if load_state(path, RECORD).machine == machine:
                return path
        except LabError:
            continue
    return None


def this_machine() -> Machine:
    """This machine, by what Linux says of it."""
    known = Path("/etc/machine-id")
    name = known.read_text(encoding="utf-8") if known.exists() else platform.node()
    found = re.search(
        r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    processor = found[1].strip() if found else platform.machine()
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return Machine(digest, processor, os.cpu_count() or 1, memory)


def this_commit() -> str:
    """The commit that is measured, with a '+' if files were changed since; '?' without git."""
    said = _git("rev-parse", "--short=12", "HEAD")
    return f"{said}{'+' if _git('status', '--porcelain', '-uno') else ''}" if said else "?"


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


FAST_SUITE = ("verify", "-q", "-m", "not slow")
"""The words of labctl's command line that run the fast acceptance suite."""


def run_timed(argv: Sequence[str | Path]) -> tuple[float, str]:
    """Wall-clock seconds of a program, and its standard output.  Errors: LabError if it fails."""
    began = time.monotonic()
    done = subprocess.run(
        argv, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise LabError(f"'{' '.join(map(str, argv))}' failed with {done.returncode}:\n{said}")
    return seconds, done.stdout


def _short(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
