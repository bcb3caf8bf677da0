"""What is in a package, from a node's dpkg or from the .deb itself, and what changed in it.

Both sources tell the same: relations, files with their MD5 sums, conffiles, maintainer scripts
(deb-control(5), dpkg-query(1)).  Packages that no node has installed are read from their files.
"""

from __future__ import annotations

import difflib
import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from labctl.core import process
from labctl.core.errors import PackageError
from labctl.images.debs import Deb, bounded, control_field
from labctl.node.reach import reach
from labctl.node.script import sectioned
from labctl.node.sections import Sections
from labctl.topology.lab import Lab
from labctl.topology.roles import role_facts

RELATIONS = (
    "Pre-Depends",
    "Depends",
    "Recommends",
    "Suggests",
    "Conflicts",
    "Breaks",
    "Replaces",
    "Provides",
)
SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "config", "templates", "triggers")
MOST_BYTES, MOST_SECONDS = 1 << 30, 60
"""The most that one file of a package may hold, and that unpacking it may take."""

DIFF_LINES = 400
"""The most lines of one script's difference that are kept."""

# A conffile's sum is that of the file as it came; `dpkg-query -f` writes both in one line.
_ASK = """
for name in {names}; do
  dpkg-query -s "$name" >/dev/null 2>&1 || continue
  section "$name control"; dpkg-query -s "$name"
  section "$name conffiles"; dpkg-query -W -f '${{Conffiles}}\\n' "$name"
  section "$name files"; dpkg-query --control-show "$name" md5sums 2>/dev/null
  for script in {scripts}; do
    dpkg-query --control-path "$name" "$script" 2>/dev/null | grep -q . || continue
    section "$name script $script"; dpkg-query --control-show "$name" "$script"
  done
done
"""


@dataclass(frozen=True, slots=True)
class PackageContents:
    """A package's relations by field, MD5 sums of files and conffiles by path, and its scripts."""

    version: str
    relations: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    conffiles: Mapping[str, str] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PathChanges:
    """Paths that only the candidate has, only the baseline has, or whose content differs."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


@dataclass(frozen=True, slots=True)
class PackageChange:
    """What differs in one package between baseline and candidate; None is a side without it.

    `relations` are lines such as `Depends: + openjdk-21`; `scripts` are differences by script, in
    the form of diff(1).
    """

    name: str
    baseline: str | None
    candidate: str | None
    relations: tuple[str, ...] = ()
    files: PathChanges = field(default_factory=PathChanges)
    conffiles: PathChanges = field(default_factory=PathChanges)
    scripts: Mapping[str, str] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Whether nothing differs, the version included."""
        parts = (self.relations, self.files, self.conffiles, self.scripts)
        return self.baseline == self.candidate and not any(parts)


def read_contents(lab: Lab, debs: Iterable[Deb]) -> dict[str, PackageContents]:
    """Jitsi's packages on the lab's nodes, and those of the files that no node has installed.

    Errors: LabError if a node does not answer, PackageError if a file cannot be unpacked.
    """
    found: dict[str, PackageContents] = {}
    for node in lab.topology.nodes:
        names = [name for name in role_facts(node.role).packages if name not in found]
        if names:
            script = _ASK.format(names=" ".join(names), scripts=" ".join(SCRIPTS))
            answer = reach(lab).run(node.name, sectioned(script), sudo=True, check=False)
            found |= parse_contents(names, answer.sections)
    for deb in debs:
        if deb.name not in found:
            found[deb.name] = unpack(deb.file)
    return found


def parse_contents(names: Iterable[str], answer: Sections) -> dict[str, PackageContents]:
    """The packages that a node has, from its answer."""
    found = {}
    for name in names:
        if f"{name} control" in answer:
            scripts = answer.family(f"{name} script")
            found[name] = _contents(
                answer.text(f"{name} control"),
                files=dict(_sums(answer.lines(f"{name} files"), path_first=False)),
                conffiles=dict(_sums(answer.lines(f"{name} conffiles"), path_first=True)),
                scripts={script: answer.text(f"{name} script {script}") for script in scripts},
            )
    return found


def unpack(file: Path) -> PackageContents:
    """The same of a .deb file.  Errors: PackageError if it cannot be unpacked."""
    with tempfile.TemporaryDirectory(prefix="labctl-deb-") as folder:
        root = Path(folder) / "root"
        extract = ["dpkg-deb", "--raw-extract", str(file), str(root)]
        command = bounded(extract, size=MOST_BYTES, seconds=MOST_SECONDS)
        done = process.run(command, check=False, timeout=6 * MOST_SECONDS)
        if done.code != 0:
            why = done.errors.strip() or f"dpkg-deb ended with status {done.code}"
            raise PackageError(f"'{file.name}' cannot be unpacked: {why}")
        control = root / "DEBIAN"
        listed = _text(control / "conffiles").split()
        files = {
            path: hashlib.md5((root / path.removeprefix("/")).read_bytes()).hexdigest()
            for path in sorted(_regular_files(root))
        }
        return _contents(
            _text(control / "control"),
            files={path: sum_ for path, sum_ in files.items() if path not in listed},
            conffiles={path: files.get(path, "") for path in listed},
            scripts={name: _text(control / name) for name in SCRIPTS if (control / name).is_file()},
        )


def _contents(
    control: str, *, files: dict[str, str], conffiles: dict[str, str], scripts: dict[str, str]
) -> PackageContents:
    # Some packages list the sums of their conffiles among those of their files, too.
    return PackageContents(
        version=control_field(control, "Version"),
        relations={
            name: tuple(sorted(each.strip() for each in text.split(",")))
            for name in RELATIONS
            if (text := control_field(control, name))
        },
        files={path: sum_ for path, sum_ in files.items() if path not in conffiles},
        conffiles=conffiles,
        scripts={name: text.rstrip("\n") + "\n" for name, text in scripts.items()},
    )


def _sums(lines: Iterable[str], *, path_first: bool) -> Iterator[tuple[str, str]]:
    """Path and sum of each line: `SUM  PATH` as in md5sums, or dpkg's ` PATH SUM [obsolete]`."""
    for line in lines:
        words = line.split()
        if len(words) < 2 or "obsolete" in words[2:]:
            continue
        path, sum_ = words[:2] if path_first else (line.partition("  ")[2], words[0])
        yield f"/{path.strip().removeprefix('/')}", sum_


def _regular_files(root: Path) -> Iterator[str]:
    for path in root.rglob("*"):
        name = path.relative_to(root)
        if path.is_file() and not path.is_symlink() and name.parts[0] != "DEBIAN":
            yield f"/{name}"


def _text(file: Path) -> str:
    # A link in a package may lead to any file of this machine.
    if file.is_symlink() or not file.is_file():
        return ""
    return file.read_text(encoding="utf-8", errors="replace")


def compare_contents(
    candidate: Mapping[str, PackageContents], baseline: Mapping[str, PackageContents]
) -> list[PackageChange]:
    """What differs in each package of either side; those in which nothing does are left out."""
    names = sorted({*candidate, *baseline})
    found = (_compare(name, candidate.get(name), baseline.get(name)) for name in names)
    return [change for change in found if not change.same]


def _compare(name: str, new: PackageContents | None, old: PackageContents | None) -> PackageChange:
    if new is None or old is None:
        was, now = (side.version if side is not None else None for side in (old, new))
        return PackageChange(name, was, now)
    return PackageChange(
        name,
        old.version,
        new.version,
        tuple(_relations(new.relations, old.relations)),
        _paths(new.files, old.files),
        _paths(new.conffiles, old.conffiles),
        dict(_scripts(new.scripts, old.scripts)),
    )


def _relations(
    new: Mapping[str, tuple[str, ...]], old: Mapping[str, tuple[str, ...]]
) -> Iterator[str]:
    for name in RELATIONS:
        mine, other = new.get(name, ()), old.get(name, ())
        yield from (f"{name}: - {each}" for each in other if each not in mine)
        yield from (f"{name}: + {each}" for each in mine if each not in other)


def _paths(new: Mapping[str, str], old: Mapping[str, str]) -> PathChanges:
    return PathChanges(
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        changed=tuple(sorted(path for path in new.keys() & old.keys() if new[path] != old[path])),
    )


def _scripts(new: Mapping[str, str], old: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in SCRIPTS:
        was, now = (side.get(name, "").splitlines() for side in (old, new))
        lines = list(difflib.unified_diff(was, now, "baseline", "candidate", lineterm=""))
        if len(lines) > DIFF_LINES:
            lines = [*lines[:DIFF_LINES], f"... and {len(lines) - DIFF_LINES} more lines"]
        if lines:
            yield name, "\n".join(lines)
