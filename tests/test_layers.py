"""The layers of labctl: a module imports from its own package or from below, never in circles."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LAYERS = (
    "cli",
    "gate",
    "e2e",
    "training",
    "upgrade",
    "live",
    "bundle",
    "lab",
    "graph",
    "drills",
    "report",
    "contract",
    "drift",
    "ready",
    "browser",
    "crowd",
    "providers",
    "provision",
    "capture",
    "node",
    "host",
    "images",
    "render",
    "spec",
    "topology",
    "core",
)
"""Packages of labctl, the highest first.  A package imports itself and what stands below it."""

BESIDE = {"provision"}
"""Layers that stand beside `labctl/` and not in it, because half of them runs on the nodes."""

FREE = {"labctl", "labctl.__main__"}
"""The version, which anybody may read, and the start, which belongs to the command line."""

FOREIGN = ("testinfra", "pytest", "acceptance", "tests")
"""What belongs to the side that tests labctl, so labctl never imports it."""


def all_modules() -> dict[str, Path]:
    """Name -> file of every module of labctl and of what stands beside it."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for folder in ("labctl", *sorted(BESIDE))
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def imports_of(text: str, known: dict[str, Path]) -> Iterator[str]:
    """Every module that a text imports, at its top or inside of functions."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def layer_of(module: str) -> str:
    top, *inner = module.split(".")
    return top if top in BESIDE else inner[0]


def upward(module: str, imported: str) -> bool:
    """Whether an import goes from a lower layer to a higher one."""
    return LAYERS.index(layer_of(imported)) < LAYERS.index(layer_of(module))


def test_every_package_is_a_layer() -> None:
    packages = {
        path.name for path in (ROOT / "labctl").iterdir() if (path / "__init__.py").exists()
    }
    assert packages == set(LAYERS) - BESIDE


def test_imports_go_down() -> None:
    """Late imports too: one inside of a function is a dependency like any other."""
    known = all_modules()
    wrong = []
    for module, path in known.items():
        if module in FREE:
            continue
        for name in imports_of(path.read_text(encoding="utf-8"), known):
            if name.startswith(FOREIGN):
                wrong.append(f"{module} imports {name}, which belongs to the tests")
            elif name in known and name not in FREE and upward(module, name):
                wrong.append(f"{module} imports {name}, which is above it")
    assert not wrong, "\n".join(wrong)


def test_nothing_imports_in_circles() -> None:
    known = all_modules()
    graph = {
        module: {
            name
            for name in imports_of(path.read_text(encoding="utf-8"), known)
            if name in known and name not in FREE and name != module
        }
        for module, path in known.items()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    ("module", "imported", "found"),
    [
        ("labctl.render.nodes", "labctl.topology.ports", False),
        ("labctl.topology.ports", "labctl.render.nodes", True),
        ("labctl.core.errors", "labctl.cli", True),
        ("labctl.lab.up", "labctl.lab.status", False),
        ("labctl.lab.up", "provision.run", False),
        ("provision.run", "labctl.node.seam", False),
        ("labctl.node.seam", "provision.run", True),
    ],
)
def test_an_import_upwards_is_found(module: str, imported: str, *, found: bool) -> None:
    assert upward(module, imported) is found


def test_late_imports_are_found() -> None:
    text = "import os\ndef f():\n    from labctl.core import errors\n"
    assert list(imports_of(text, all_modules())) == ["os", "labctl.core.errors"]


def test_the_page_shows_the_layers() -> None:
    """docs/how-it-works.md lists the packages in this order, so that it can be trusted."""
    page = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
    shown = re.findall(r"(?m)^    ([a-z0-9]+)/ +\S", page)
    assert tuple(shown) == LAYERS
