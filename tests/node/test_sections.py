"""Named sections of an answer, from the shell that prints them to the lines that are read."""

from __future__ import annotations

import subprocess

import pytest

from labctl.node.script import sectioned
from labctl.node.sections import MARK, Sections, parse_sections, render_sections


@pytest.mark.programs
@pytest.mark.parametrize(
    ("body", "texts"),
    [
        pytest.param("section a; echo 1; echo 2", {"a": "1\n2\n"}, id="one"),
        pytest.param("section a; printf 1; section b; echo 2", {"a": "1", "b": "2\n"}, id="no end"),
        pytest.param("section a; echo; section b", {"a": "\n", "b": ""}, id="an empty line"),
        pytest.param("section a; section b", {"a": "", "b": ""}, id="empty"),
        pytest.param("echo 0; section a; echo 1", {"a": "1\n"}, id="something before it"),
        pytest.param("section unit x.service", {"unit x.service": ""}, id="a name of two words"),
        pytest.param("for i in 1 1; do section a; echo $i; done", {"a": "1\n1\n"}, id="twice"),
        pytest.param("section '100% \\n'", {"100% \\n": ""}, id="a name that printf might read"),
        pytest.param("section a; echo '=== b'", {"a": "=== b\n"}, id="what looks like a mark"),
    ],
)
def test_what_the_shell_prints_is_read(body: str, texts: dict[str, str]) -> None:
    done = subprocess.run(
        ["/bin/sh", "-euc", sectioned(body).text], capture_output=True, text=True, check=True
    )
    assert dict(parse_sections(done.stdout).texts) == texts


def test_nothing_has_no_sections() -> None:
    assert list(parse_sections("")) == []
    assert not parse_sections("sh: 1: section: not found\n")
    assert len(parse_sections(f"{MARK}a\n")) == 1


def test_sections_are_read_back_as_they_were() -> None:
    texts = {"a": "1\n", "b": "", "c": "no end", "d": f"a line with {MARK} in it\n"}
    assert dict(parse_sections(render_sections(texts)).texts) == texts


def test_lines_and_families() -> None:
    sections = Sections({"unit a.service": "x\ny\n", "unit b.service": "", "ports": "22\n"})
    assert sections.lines("ports") == ["22"]
    assert sections.lines("nothing") == []
    assert "nothing" not in sections
    assert sections.family("unit") == {"a.service": ["x", "y"], "b.service": []}
