"""House rules, held by machine: format, lint, types, layers, sizes, links, locks."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 300

PRINTERS = {"labctl.cli"}
STARTERS = {"labctl.core.process"}
# The words themselves and the default, then what is pure, then what does something.
PROVIDER_TABLES = {
    "labctl.topology.spec",
    "labctl.providers.table",
}
# What the rows lead to: it knows for whom it works, and need not ask.
PROVIDER_CODE = tuple(
    f"labctl.providers.{name}" for name in ("docker", "libvirt", "virtualbox", "vm")
)


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows or would add, as paths in the project."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    names = sorted(set(filter(None, done.stdout.split("\0"))))
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def programs() -> list[Path]:
    """Every module that is no test and no stand-in."""
    return [*modules("labctl"), *modules("provision"), *modules("acceptance")]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside of functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "labctl":
                yield from (f"labctl.{alias.name}" for alias in node.names)
            else:
                yield node.module


def run_tool(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"


@pytest.mark.programs
def test_formatted() -> None:
    run_tool("ruff", "format", "--check", ".")


@pytest.mark.programs
def test_linted() -> None:
    run_tool("ruff", "check", ".")


@pytest.mark.programs
@pytest.mark.slow
def test_typed() -> None:
    run_tool("mypy", "--strict", "labctl", "provision")


@pytest.mark.programs
@pytest.mark.parametrize("name", ["bin/labctl", "bin/test", "bin/environment.sh", ".ci/run"])
def test_shell_is_posix(name: str) -> None:
    subprocess.run([shutil.which("dash") or "sh", "-n", ROOT / name], check=True)


def test_only_one_module_starts_programs() -> None:
    starting = {
        module_name(path)
        for path in [*modules("labctl"), *modules("provision")]
        if {"subprocess", "pty", "multiprocessing"}.intersection(imports_of(path))
    }
    assert starting == STARTERS


def test_only_the_command_line_prints_and_exits() -> None:
    wrong = [
        f"{module_name(path)} calls {found}"
        for path in [*modules("labctl"), *modules("provision")]
        if not module_name(path).startswith(tuple(PRINTERS))
        for found in dotted_names(path)
        if found in ("sys.exit", "os._exit", "click.echo", "os.system")
    ]
    assert not wrong


def dotted_names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def test_modules_say_what_belongs_there() -> None:
    silent = [path for path in programs() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_modules_are_small() -> None:
    large = [path for path in programs() if path.read_text().count("\n") > MOST_LINES]
    assert not large, "these are asking to be two"


def provider_questions(text: str, *, own: bool = False) -> Iterator[int]:
    """Lines where a program asks which provider it has, or (not in its `own` code) names one."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "ProviderName" and node.attr.isupper() and not own:
                yield node.lineno
        elif isinstance(node, ast.Match) and called(node.subject) == "provider":
            yield node.lineno
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq | IS):
            sides = [node.left, *node.comparators]
            # Whether one was named at all is another question.
            named = not any(isinstance(side, ast.Constant) and side.value is None for side in sides)
            if named and "provider" in map(called, sides):
                yield node.lineno


IS = ast.Is | ast.IsNot


def called(node: ast.expr) -> str:
    """The last word of a name or an attribute."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("if topology.provider == 'docker': pass", [1]),
        ("x = 1\nif provider is docker: pass", [2]),
        ("match spec.provider:\n    case 'docker': pass", [1]),
        ("rows = {ProviderName.DOCKER: 1}", [1]),
        ("row = TABLE[spec.provider]\nif row.own_kernel and name in ProviderName: pass", []),
        ("if provider is not None: pass", []),
    ],
    ids=["equal", "is", "match", "named", "asked of a table", "given at all"],
)
def test_questions_for_the_provider_are_found(text: str, lines: list[int]) -> None:
    assert list(provider_questions(text)) == lines
    assert list(provider_questions(text, own=True)) == [n for n in lines if "{P" not in text]


def test_a_provider_is_a_row_of_a_table() -> None:
    """What differs stands in two tables; nothing else asks which provider a lab has."""
    wrong = [
        f"{module_name(path)}, line {line}"
        for path in programs()
        if module_name(path) not in PROVIDER_TABLES
        for line in provider_questions(
            path.read_text(encoding="utf-8"), own=module_name(path).startswith(PROVIDER_CODE)
        )
    ]
    assert not wrong


def test_nothing_just_sleeps() -> None:
    sleeping = {
        module_name(path)
        for path in [*modules("labctl"), *modules("provision")]
        if "time.sleep" in dotted_names(path)
    }
    assert sleeping == {"labctl.core.waiting"}, "waits have a named signal and a deadline"


# Put together here, so that this file does not find itself.
REGISTRIES = [
    *(".".join(words) for words in (("pypi", "org"), ("pythonhosted", "org"))),
    *(".".join(words) for words in (("deb", "debian", "org"), ("snapshot", "debian", "org"))),
    *(".".join(words) for words in (("registry", "npmjs"), ("rubygems", "org"))),
    *(".".join(words) for words in (("registry-1", "docker"), ("security", "debian", "org"))),
]


@pytest.mark.programs
def test_no_registry_is_named() -> None:
    """Mirrors come from the machine's own configuration, at run time."""
    found = []
    for path in tracked():
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{path.relative_to(ROOT)}: {host}" for host in REGISTRIES if host in text]
    assert not found


def headings(text: str) -> set[str]:
    """Anchors of a page's headings, as web views of repositories make them."""
    titles = re.findall(r"(?m)^#{1,6}\s+(.*?)\s*#*$", text)
    plain = (re.sub(r"[^\w\- ]", "", title.lower()) for title in titles)
    return {title.replace(" ", "-") for title in plain}


def links_of(path: Path) -> Iterator[str]:
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    yield from re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.programs
def test_links_of_the_pages_lead_somewhere() -> None:
    broken = []
    for page in tracked("*.md"):
        for link in links_of(page):
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            file = (page.parent / target) if target else page
            if not file.exists():
                broken.append(f"{page.relative_to(ROOT)}: {link}")
            elif anchor and file.suffix == ".md" and anchor not in headings(file.read_text()):
                broken.append(f"{page.relative_to(ROOT)}: {link} has no such heading")
    assert not broken


LOCKS = (
    "requirements.lock",
    "requirements-browser.lock",
    "requirements-dev.lock",
    "requirements-scan.lock",
)


def locked(name: str) -> dict[str, str]:
    """Packages of a lock file with their versions."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([a-z0-9-]+)==([^ \\;]+)", text))


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runs, tests = locked("requirements.lock"), locked("requirements-dev.lock")
    browser = locked("requirements-browser.lock")
    asked = {re.split(r"[<>=!~ ;\[]", line)[0] for line in project["dependencies"]}
    extras = {
        name: {line.partition(">")[0] for line in lines}
        for name, lines in project["optional-dependencies"].items()
    }
    assert asked <= set(runs)
    assert extras["dev"] | extras["browser"] <= set(tests)
    assert extras["browser"] <= set(browser)
    assert runs.items() <= browser.items() <= tests.items()


def test_the_scanners_lock_holds_what_is_asked_for() -> None:
    """It stands apart: sslyze wants an older cryptography than labctl."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = {line.partition(">")[0] for line in groups["dependency-groups"]["scan"]}
    assert asked == {"sslyze", "ssh-audit"} <= set(locked("requirements-scan.lock"))


@pytest.mark.parametrize("name", LOCKS)
def test_locks_have_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"(?m)^(?=[a-z0-9])", text)
    assert all("--hash=sha256:" in entry for entry in entries if entry.strip())


def test_packages_that_are_imported_are_asked_for() -> None:
    """What labctl imports comes from the standard library, from itself or from pyproject."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    asked = {re.split(r"[<>=!~ ;\[]", line)[0].lower() for line in lines}
    known = {
        module
        for module, packages in packages_distributions().items()
        if asked.intersection(package.lower() for package in packages)
    }
    # pyhocon raises pyparsing's errors and brings it; aiortc brings av, which makes recordings.
    known |= {"labctl", "provision", "pyparsing", "av", *sys.stdlib_module_names}
    for path in [*modules("labctl"), *modules("provision")]:
        for name in imports_of(path):
            assert name.partition(".")[0] in known, f"{module_name(path)} imports {name}"


STARTED = {
    "labctl", "labctl.cli", "labctl.cli.main", "labctl.cli.options", "labctl.core",
    "labctl.core.errors", "labctl.core.exits",
}  # fmt: skip
HEAVY = {"cryptography", "jinja2", "pyhocon", "rich", "rich_click", "vagrant", "websockets",
         "asyncio"}  # fmt: skip


@pytest.mark.programs
@pytest.mark.parametrize(
    ("words", "for_help"),
    [
        ("main(['--version'], standalone_mode=False)", False),
        ("list_commands(None)", False),
        ("main(['--help'], standalone_mode=False)", True),
    ],
    ids=["start", "completion", "help"],
)
def test_starting_is_quick(words: str, *, for_help: bool) -> None:
    """Only click and the standard library are imported before a verb is used.

    Help is shown by rich-click, which brings rich; no verb is loaded for it.
    """
    script = (
        f"import sys\nfrom labctl.cli.main import cli\ncli.{words}\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
        "\nprint(*(name for name in sys.modules if name.startswith('labctl')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *_, roots, ours = done.stdout.splitlines()
    heavy = HEAVY - {"rich", "rich_click"} if for_help else HEAVY
    assert not heavy & set(roots.split())
    assert set(ours.split()) == STARTED | ({"labctl.cli.richhelp"} if for_help else set())
