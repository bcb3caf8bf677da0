"""Closed sets stay closed: a new member of an enum is an error, never somebody else's case.

mypy finds a member that a `match` forgets where the last case is `assert_never`.  It does not look
into dicts and chains of `if`, so these are held here: a dict that is keyed by members names all of
them, and what asks for several members is a `match`.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("labctl", "acceptance")

PARTIAL = {
    "KINDS": "events of participants that no drill is about",
    "FORMATS": "providers whose machines are containers have no boxes",
}
"""Dicts that may lack members, by the name they are bound to, each with the reason."""

Tree = ast.Module


@cache
def trees() -> dict[str, Tree]:
    """Path -> syntax tree of every module."""
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    return {
        str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths
    }


@cache
def enums() -> dict[str, list[set[str]]]:
    """Name -> members, of every enum; several where two have one name."""
    found: dict[str, list[set[str]]] = defaultdict(list)
    for tree in trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(base, ast.Name) and base.id.endswith("Enum") for base in node.bases
            ):
                names = (each.targets[0] for each in node.body if isinstance(each, ast.Assign))
                found[node.name].append({each.id for each in names if isinstance(each, ast.Name)})
    return dict(found)


def member(node: ast.AST | None) -> tuple[str, str] | None:
    """Enum and member that an expression names, such as `Where.OWN`."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        name = node.value.id
        if any(node.attr in members for members in enums().get(name, [])):
            return name, node.attr
    return None


def members_of(pattern: ast.pattern) -> Iterator[tuple[str, str]]:
    for node in ast.walk(pattern):
        if isinstance(node, ast.MatchValue) and (found := member(node.value)):
            yield found


def open_matches(tree: Tree) -> Iterator[int]:
    """Lines of matches over an enum whose last case is not `assert_never`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Match) and any(
            True for case in node.cases for _ in members_of(case.pattern)
        ):
            last = node.cases[-1].body[0]
            call = last.value if isinstance(last, ast.Expr) else None
            if not (isinstance(call, ast.Call) and ast.unparse(call.func) == "assert_never"):
                yield node.lineno


def partial_dicts(tree: Tree) -> Iterator[tuple[int, str]]:
    """Lines of dicts that name some members of an enum and not all, and whose name they have."""
    names = {
        id(node.value): ast.unparse(
            node.targets[0] if isinstance(node, ast.Assign) else node.target
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Dict) or not node.keys:
            continue
        found = [member(key) for key in node.keys]
        kinds = {each[0] for each in found if each is not None}
        if None in found or len(kinds) != 1:
            continue
        given = {each[1] for each in found if each is not None}
        if given not in enums()[kinds.pop()]:
            yield node.lineno, names.get(id(node), "")


def asked(test: ast.expr) -> Iterator[tuple[str, str, str]]:
    """What a condition compares with members: subject, enum, member."""
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            found = member(node.comparators[0])
            if found and isinstance(node.ops[0], ast.Is | ast.IsNot | ast.Eq | ast.NotEq):
                yield ast.unparse(node.left), *found


def chains(tree: Tree) -> Iterator[tuple[int, str]]:
    """Functions that ask in several conditions which member of an enum something is."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        seen: dict[tuple[str, str], set[str]] = defaultdict(set)
        for node in ast.walk(function):
            if isinstance(node, ast.If | ast.IfExp):
                for subject, enum, name in asked(node.test):
                    seen[subject, enum].add(name)
        for (subject, _), names in seen.items():
            if len(names) > 1:
                yield function.lineno, subject


def test_a_match_over_an_enum_ends_in_assert_never() -> None:
    wrong = [f"{path}:{line}" for path, tree in trees().items() for line in open_matches(tree)]
    assert not wrong, "\n".join(wrong)


def test_a_dict_keyed_by_an_enum_is_whole() -> None:
    found = [
        (f"{path}:{line}", name)
        for path, tree in trees().items()
        for line, name in partial_dicts(tree)
    ]
    wrong = [f"{place}: {name}" for place, name in found if name not in PARTIAL]
    assert not wrong, "\n".join(wrong)
    assert {name for _, name in found} == set(PARTIAL), "a name that is not needed any more"


def test_several_members_are_a_match() -> None:
    wrong = [
        f"{path}:{line}: {subject}"
        for path, tree in trees().items()
        for line, subject in chains(tree)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("text", "finder", "count"),
    [
        ("match a:\n case Where.OWN: pass\n case _: pass", open_matches, 1),
        ("match a:\n case Where.OWN | Where.ALL: pass", open_matches, 1),
        ("match a:\n case Where.OWN: pass\n case _: assert_never(a)", open_matches, 0),
        ("match a:\n case 'x': pass", open_matches, 0),
        ("X = {Role.JMS: 1, Role.JVB: 2}", partial_dicts, 1),
        (
            "X = {Role.JMS: 1, Role.JVB: 2, Role.MONITORING: 3, Role.VISITORS: 4}",
            partial_dicts,
            0,
        ),
        ("X = {Role.JMS: 1, 'other': 2}", partial_dicts, 0),
        ("def f(a):\n if a is Role.JMS: pass\n if a is Role.JVB: pass", chains, 1),
        ("def f(a):\n x = 1 if a.b == Role.JMS else 2 if a.b == Role.JVB else 3", chains, 1),
        ("def f(a, b):\n if a is Role.JMS: pass\n if b is Role.JVB: pass", chains, 0),
    ],
)
def test_the_rules_find_what_they_are_for(text: str, finder: object, count: int) -> None:
    assert len(list(finder(ast.parse(text)))) == count  # type: ignore[operator]
