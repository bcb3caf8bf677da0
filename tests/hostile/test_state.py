"""Files of state, reports and lists of versions that somebody else wrote: a value or an error."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import labctl
from labctl.core.errors import Problem
from labctl.core.state import StateError, StateKind, load_state
from labctl.spec.versions import parse_versions
from labctl.topology.migrate import TOPOLOGY
from tests.samples import SAMPLES

Within = Callable[[], AbstractContextManager[None]]


def find_kinds() -> Iterator[tuple[str, StateKind[Any]]]:
    """Every kind of state file that there is, by module and name."""
    root = Path(labctl.__file__).parent
    for path in sorted(root.rglob("*.py")):
        if ": StateKind[" in path.read_text(encoding="utf-8"):
            name = ".".join(("labctl", *path.relative_to(root).with_suffix("").parts))
            for key, value in vars(importlib.import_module(name)).items():
                if isinstance(value, StateKind) and key.isupper():
                    yield f"{name}.{key}", value


KINDS = dict(find_kinds())
SAMPLED = {path.name: json.loads(path.read_text()) for path in SAMPLES.rglob("*.json")}
WORDS = sorted({key for data in SAMPLED.values() for key in data} | {"format", "nodes", "spec"})
values = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        st.sampled_from(["192.168.56.0/24", "jms", "../x", "docker", "1e999", "\ud800"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text(max_size=4)), inner, max_size=4),
    ),
    max_leaves=12,
)


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """A file as labctl wrote it, with some values replaced, at any depth."""
    data = json.loads(json.dumps(draw(st.sampled_from(list(SAMPLED.values())))))
    for _ in range(draw(st.integers(1, 3))):
        place = data
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or draw(st.booleans()):
                place[key] = draw(values)
                break
            place = place[key]
    return data


@pytest.mark.parametrize("name", KINDS)
@given(data=st.one_of(values, mutations()))
@example(data={"format": 1e999})
@example(data={"format": True})
@example(data={"format": -1})
def test_state_is_a_value_or_an_error(name: str, data: Any, tmp_path: Path, within: Within) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with within():
        try:
            load_state(file, KINDS[name])
        except StateError as error:
            assert str(file) in error.message


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 10_000, '"\\ud800"'])
def test_text_that_overwhelms_a_reader(text: str, tmp_path: Path, within: Within) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    with within(), pytest.raises(StateError):
        load_state(file, TOPOLOGY)


LISTS = "jicofo 1.0-1\njitsi-meet-web=1.0\nii  jicofo  1.0  all  x\njicofo/stable 1.0 all\n"


@given(text=st.one_of(st.text(max_size=100), st.text(alphabet=LISTS, max_size=200)))
@example(text="Package: jicofo\nVersion: $(id)\n")
@example(text="Package: jicofo\nVersion: 1\n\n" * 20_000)
@example(text="jicofo " + "1" * 100_000)
@example(text=" " * 100_000 + "x")
@example(text="jicofo 1.0; id\njicofo -1\njicofo 1\x00")
def test_versions(text: str, within: Within) -> None:
    problems: list[Problem] = []
    with within():
        found = parse_versions(text, problems, name="x")
    for name, version in found.versions.items():
        assert not set(f"{name}{version}") & set(" \n\t;$`'\"/\\\0")
        assert not name.startswith("-") and not version.startswith("-")
