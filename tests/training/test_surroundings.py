"""What scripts and pages are told of a lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from labctl.training.surroundings import holder_of, prelude, variables, words


def lab_of(tmp_path: Path, visitors: int) -> Lab:
    topology = resolve(Spec(lab="demo", jvbs=1, visitors=visitors))
    return Lab(Workdir.of("demo", root=tmp_path), topology)


@pytest.mark.parametrize(("visitors", "number"), [(1, "9"), (8, "9"), (12, "13")])
def test_the_next_vnode(tmp_path: Path, visitors: int, number: str) -> None:
    known = variables(lab_of(tmp_path, visitors).topology)
    assert known["next"] == number
    assert known["next_s2s"] == str(52690 + int(number))


def test_words_of_a_page(tmp_path: Path) -> None:
    lab = lab_of(tmp_path, 2)
    assert words(lab, "at {jms}, v{next} {unknown}") == "at 192.168.56.105, v9 {unknown}"


def test_variables_of_a_script(tmp_path: Path) -> None:
    lab = lab_of(tmp_path, 2)
    text = prelude(lab, lab.topology.node("jvb1"), notes={"bridge": "it's"})
    assert "bridges='jvb jvb1'\n" in text
    assert "note_bridge='it'\"'\"'s'\n" in text


def test_the_holder_of_a_vnode(tmp_path: Path) -> None:
    lab = lab_of(tmp_path, 2)
    assert holder_of(lab, "v2").name == "visitors1"
    assert holder_of(lab, "jms").name == "jms"
    with pytest.raises(LabError, match="has no node or vnode 'v7'"):
        holder_of(lab, "v7")
