"""Golden files: every rendered configuration of some labs, for review by people.

A file is kept once: where an earlier case, or an earlier node of the same one, has the same text
at the same place, it is not kept again.  So a case's folder shows what its lab has differently;
`manifest` has a line for each file, folder, link and unit of a node.  Of the vnodes v1 and v10 are
kept, and a test holds that the others differ from them in their numbers only.

After a change that is meant, `bin/test --unit tests/render/test_golden.py --update-golden` writes
them anew; what a reviewer then sees is the change as it reaches the nodes.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest

from labctl.topology.model import VNode
from tests.rendering import CASES, fixed_trees, golden_files, vnode_of

GOLDEN = Path(__file__).parents[1] / "golden"
HINT = "bin/test --unit tests/render/test_golden.py --update-golden"


@cache
def kept(case: str) -> frozenset[tuple[str, str]]:
    """Place on its node and text of every file of a case."""
    return frozenset((path.partition("/")[2], text) for path, text in golden_files(CASES[case]))


def rendered_once(case: str) -> Mapping[str, str]:
    """Text by path below the case's folder, of files that are not kept before it.

    The case itself is always rendered anew: what another test has seen of it proves nothing.
    """
    earlier = takewhile(lambda other: other != case, CASES)
    seen = {entry for other in earlier for entry in kept(other)}
    fresh: dict[str, str] = {}
    for path, text in golden_files(CASES[case]):
        place = path.partition("/")[2]
        if (place, text) not in seen:
            seen.add((place, text))
            fresh[path] = text
    return fresh


@pytest.mark.parametrize("case", CASES)
def test_what_is_rendered_is_what_was_reviewed(case: str, request: pytest.FixtureRequest) -> None:
    folder = GOLDEN / case
    rendered = rendered_once(case)
    if request.config.getoption("--update-golden"):
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in rendered.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    reviewed = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert sorted(reviewed) == sorted(rendered), f"another set of files; if that is meant: {HINT}"
    for path, text in rendered.items():
        assert text == reviewed[path], f"'{case}/{path}' has changed; if that is meant: {HINT}"


def test_no_case_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(CASES)


def without_numbers(text: str, vnode: VNode) -> str:
    """The text of a vnode's file with the vnode's own name, ports and secrets as words."""
    numbers = {str(vnode.c2s_port): "C2S", str(vnode.s2s_port): "S2S", str(vnode.http_port): "HTTP"}
    for number, word in numbers.items():
        text = text.replace(number, word)
    text = re.sub(rf"\b{vnode.name}\b", "vN", text)
    # Salts are random in a lab and numbers here; keys are derived from them.
    salt = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    return re.sub(rf"\b(?:[0-9a-f]{{32,}}|{salt})\b", "HEX", text)


@pytest.mark.parametrize("case", ["nodes-12", "local-10"])
def test_vnodes_differ_in_their_numbers_only(case: str) -> None:
    seen: dict[str, dict[str, str]] = {}
    for tree in fixed_trees(CASES[case]):
        for file in tree.files:
            name = vnode_of(file.path)
            if name is not None:
                vnode = VNode(int(name.removeprefix("v")))
                kind = re.sub(rf"\b{name}\b", "vN", f"{tree.node}{file.path}")
                seen.setdefault(kind, {})[name] = without_numbers(file.text, vnode)
    assert seen
    for kind, texts in seen.items():
        assert len(texts) > 1, kind
        assert len(set(texts.values())) == 1, f"{kind} differs: {sorted(texts)}"
