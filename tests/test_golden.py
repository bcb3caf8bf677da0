"""Golden files: every rendered configuration of some labs, for review by people.

A file is kept once: where an earlier case, or an earlier node of the same one, has the same text
at the same place, it is not kept again.  So a case's folder shows what its lab has differently;
`manifest.json` names all files of a node.

After a change that is meant, `bin/test --unit tests/test_golden.py --update-golden` writes them
anew; what a reviewer then sees is the change as it reaches the nodes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.rendering import CASES, golden_files

GOLDEN = Path(__file__).parent / "golden"
HINT = "bin/test --unit tests/test_golden.py --update-golden"


@cache
def rendered_once() -> Mapping[str, Mapping[str, str]]:
    """By case: text by path below the case's folder, of files that are not kept before it."""
    seen: set[tuple[str, str]] = set()
    cases: dict[str, dict[str, str]] = {}
    for case, spec in CASES.items():
        fresh = cases[case] = {}
        for path, text in golden_files(spec):
            place = path.partition("/")[2]
            if (place, text) not in seen:
                seen.add((place, text))
                fresh[path] = text
    return cases


@pytest.mark.parametrize("case", CASES)
def test_what_is_rendered_is_what_was_reviewed(case: str, request: pytest.FixtureRequest) -> None:
    folder = GOLDEN / case
    rendered = rendered_once()[case]
    if request.config.getoption("--update-golden"):
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in rendered.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    kept = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert sorted(kept) == sorted(rendered), f"another set of files; if that is meant: {HINT}"
    for path, text in rendered.items():
        assert text == kept[path], f"'{case}/{path}' has changed; if that is meant: {HINT}"


def test_no_case_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(CASES)
