"""House rules, held by machine: format, lint, types, layers, sizes, links, locks."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MOST_LINES = 300

# What a part may import of labctl; everything that is not named here may import the parts that
# are (`labctl.cli` is above all, `labctl.errors` below).
BELOW: dict[str, set[str]] = {
    "errors": set(),
    "waiting": set(),
    "progress": set(),
    "model": {"errors"},
    "capabilities": {"errors", "model"},
    "layout": {"errors", "model"},
    "ports": {"errors", "layout", "model"},
    "process": {"errors"},
    "workdir": {"errors", "model"},
    "openpgp": {"errors"},
    "spec": {"errors", "layout", "model", "openpgp"},
    "network": {"errors", "layout", "model", "process", "waiting", "workdir"},
    "privilege": {"errors", "process"},
    "dockerd": {"errors", "privilege", "process", "waiting", "workdir"},
    "render": {
        "ca",
        "capabilities",
        "errors",
        "layout",
        "model",
        "ports",
        "prosody_data",
        "secrets",
        "workdir",
    },
    "secrets": {"errors", "model", "workdir"},
    "ca": {"errors", "model", "workdir"},
}
# Programs that patch sockets for their whole process, or belong to the side that is tested.
FOREIGN = ("pyinfra", "testinfra", "pytest", "provision", "acceptance", "tests")
PRINTERS = {"labctl.cli"}
STARTERS = {"labctl.process"}
# The words themselves and the default, then what is pure, then what does something.
PROVIDER_TABLES = {"labctl.model", "labctl.capabilities", "labctl.providers"}
# What the rows lead to: it knows for whom it works, and need not ask.
PROVIDER_CODE = ("labctl.libvirt", "labctl.virtualbox", "labctl.vm")


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows or would add, as paths in the project."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    names = sorted(set(filter(None, done.stdout.split("\0"))))
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def part_of(module: str) -> str:
    """The part of labctl that a module belongs to: `labctl.spec.build` to `spec`."""
    return module.split(".")[1] if "." in module else ""


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
    run_tool("mypy", "--strict", "labctl")


@pytest.mark.programs
@pytest.mark.parametrize("name", ["bin/labctl", "bin/test", "bin/environment.sh", ".ci/run"])
def test_shell_is_posix(name: str) -> None:
    subprocess.run([shutil.which("dash") or "sh", "-n", ROOT / name], check=True)


@pytest.mark.parametrize("path", modules("labctl"), ids=module_name)
def test_layers(path: Path) -> None:
    module = module_name(path)
    part = part_of(module)
    for name in imports_of(path):
        assert not name.startswith(FOREIGN), f"{module} imports {name}"
        if not name.startswith("labctl."):
            continue
        other = part_of(name)
        if other in ("cli", "__main__"):
            assert part in ("cli", "__main__"), f"{module} imports {name}: only upwards"
        if other == "lab":
            assert part in ("cli", "gate", "lab"), f"{module} imports {name}: only upwards"
        if part in BELOW and other != part and name != "labctl.__version__":
            assert other in BELOW[part], f"{module} imports {name}, which is above it"


@pytest.mark.parametrize("path", modules("provision"), ids=module_name)
def test_provision_stands_alone(path: Path) -> None:
    assert not [name for name in imports_of(path) if name.startswith("labctl")]


@pytest.mark.parametrize("path", modules("labctl"), ids=module_name)
def test_one_door_to_programs_and_exits(path: Path) -> None:
    module = module_name(path)
    if module not in STARTERS:
        starting = {"subprocess", "pty", "multiprocessing"}.intersection(imports_of(path))
        assert not starting, f"{module} imports {starting}: only labctl.process starts programs"
    if module.startswith(tuple(PRINTERS)):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            called = f"{node.value.id}.{node.attr}"
            assert called not in ("sys.exit", "os._exit", "click.echo", "os.system"), module


@pytest.mark.parametrize(
    "path", [*modules("labctl"), *modules("provision"), *modules("acceptance")], ids=module_name
)
def test_module_has_a_docstring_and_an_end(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), f"{path} does not say what belongs there"
    assert text.count("\n") <= MOST_LINES, f"{path} is asking to be two"


def provider_questions(text: str, *, own: bool = False) -> Iterator[int]:
    """Lines where a program asks which provider it has, or (not in its `own` code) names one."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "Provider" and node.attr.isupper() and not own:
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
        ("rows = {Provider.DOCKER: 1}", [1]),
        ("row = TABLE[spec.provider]\nif row.own_kernel and name in Provider: pass", []),
        ("if provider is not None: pass", []),
    ],
    ids=["equal", "is", "match", "named", "asked of a table", "given at all"],
)
def test_questions_for_the_provider_are_found(text: str, lines: list[int]) -> None:
    assert list(provider_questions(text)) == lines
    assert list(provider_questions(text, own=True)) == [n for n in lines if "{P" not in text]


@pytest.mark.parametrize(
    "path", [*modules("labctl"), *modules("acceptance"), *modules("provision")], ids=module_name
)
def test_a_provider_is_a_row_of_a_table(path: Path) -> None:
    """What differs stands in two tables; nothing else asks which provider a lab has."""
    module = module_name(path)
    if module in PROVIDER_TABLES:
        return
    own = module.startswith(PROVIDER_CODE)
    assert not list(provider_questions(path.read_text(encoding="utf-8"), own=own)), path


@pytest.mark.parametrize("path", modules("labctl"), ids=module_name)
def test_nothing_just_sleeps(path: Path) -> None:
    if module_name(path) == "labctl.waiting":
        return
    sleeping = re.findall(r"\btime\.sleep\(", path.read_text(encoding="utf-8"))
    assert not sleeping, f"{path}: waits have a named signal and a deadline (labctl.waiting)"


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


def locked(name: str) -> dict[str, str]:
    """Packages of a lock file with their versions."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([a-z0-9-]+)==([^ \\;]+)", text))


def test_locks_hold_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    runs, tests = locked("requirements.lock"), locked("requirements-dev.lock")
    asked = {re.split(r"[<>=!~ ;\[]", line)[0] for line in project["dependencies"]}
    extra = {line.partition(">")[0] for line in project["optional-dependencies"]["dev"]}
    assert asked <= set(runs)
    assert extra <= set(tests)
    assert runs.items() <= tests.items()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_locks_have_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"(?m)^(?=[a-z0-9])", text)
    assert all("--hash=sha256:" in entry for entry in entries if entry.strip())


def test_packages_that_are_imported_are_asked_for() -> None:
    """What labctl imports comes from the standard library, from itself or from pyproject."""
    known = {
        "click",
        "cryptography",
        "jinja2",
        "lxml",
        "pyhocon",
        "rich",
        "uvloop",
        "vagrant",
        "websockets",
    }
    # pyhocon raises pyparsing's errors and brings it.
    known |= {"labctl", "pyparsing", *sys.stdlib_module_names}
    for path in modules("labctl"):
        for name in imports_of(path):
            assert name.partition(".")[0] in known, f"{module_name(path)} imports {name}"


@pytest.mark.programs
def test_starting_is_quick() -> None:
    """Only click and the standard library are imported before a verb is chosen."""
    script = "import sys, labctl.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    heavy = {"cryptography", "jinja2", "pyhocon", "rich", "vagrant", "websockets", "asyncio"}
    assert not heavy & set(done.stdout.split())
