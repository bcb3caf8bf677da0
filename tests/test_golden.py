"""Golden files: every rendered configuration of some labs, for review by people.

After a change that is meant, `bin/test --unit tests/test_golden.py --update-golden` writes them
anew; what a reviewer then sees is the change as it reaches the nodes.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.rendering import CASES, golden_files

GOLDEN = Path(__file__).parent / "golden"
HINT = "bin/test --unit tests/test_golden.py --update-golden"


@pytest.mark.parametrize("case", CASES)
def test_what_is_rendered_is_what_was_reviewed(case: str, request: pytest.FixtureRequest) -> None:
    folder = GOLDEN / case
    rendered = dict(golden_files(CASES[case]))
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
