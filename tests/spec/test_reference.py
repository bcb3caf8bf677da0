"""A key of lab.conf is declared once; flags, docs, checks and topology.json follow from that."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click
import pytest

from labctl.cli.up import up_command
from labctl.spec import load_spec, spec_from_data
from labctl.spec.reference import render_table
from labctl.topology.keys import Choice, Declared, OnOff, WholeNumber, declared
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import Packages, PackageSource, Role, Size, Spec, VisitorsLayout

PAGE = Path(__file__).parents[2] / "docs" / "lab-conf.md"
KEYS = list(declared(Spec))
FLAGS = [each for each in KEYS if each.key.flag]
OTHER = {
    "lab": ("course", "course"),
    "provider": ("libvirt", "libvirt"),
    "domain": ("conf.example.org", "conf.example.org"),
    "network": ("10.7.7.0/24", "10.7.7.0/24"),
    "packages": ("jitsi:testing", None),
    "debian": ("14", "14"),
}


def another(each: Declared) -> str:
    """A value as a flag has it that is not the default."""
    match each.key.kind:
        case WholeNumber(_, most):
            return str(most - 1 if each.default != most - 1 else most)
        case OnOff():
            return "off" if each.default else "on"
        case Choice(words):
            return str(next(word for word in reversed(words) if word != each.default))
        case _:
            return OTHER[each.key.path][0]


def name_of(each: Declared) -> str:
    return each.key.path


def test_every_attribute_of_a_spec_is_a_key() -> None:
    assert [each.attribute for each in KEYS] == [each.name for each in dataclasses.fields(Spec)]


def test_the_page_has_the_table(request: pytest.FixtureRequest) -> None:
    text = PAGE.read_text(encoding="utf-8")
    begin, end = text.index("| key | flag"), text.index("\nAddresses are derived")
    if request.config.getoption("--update-golden"):
        PAGE.write_text(text[:begin] + render_table() + text[end:], encoding="utf-8")
        return
    hint = "'bin/test --unit tests/spec/test_reference.py --update-golden' writes it again"
    assert text[begin:end] == render_table(), hint


@pytest.mark.parametrize("each", FLAGS, ids=name_of)
def test_every_flag_is_one_of_up(each: Declared) -> None:
    options = [param for param in up_command.params if isinstance(param, click.Option)]
    [option] = [param for param in options if f"--{each.key.flag}" in param.opts]
    assert option.help
    given = up_command.make_context("up", []).params
    assert given[option.name or ""] is None, "a flag that is not given must not win"


@pytest.mark.parametrize("each", [e for e in FLAGS if isinstance(e.key.kind, Choice)], ids=name_of)
def test_a_shell_completes_the_words_of_a_closed_set(each: Declared) -> None:
    [option] = [param for param in up_command.params if f"--{each.key.flag}" in param.opts]
    words = list(each.key.kind.words)  # type: ignore[union-attr]
    begun = words[0][0]
    found = option.shell_complete(click.Context(up_command), begun)
    assert [item.value for item in found] == [word for word in words if word.startswith(begun)]
    assert 0 < len(found) < len(words)


@pytest.mark.parametrize("each", FLAGS, ids=name_of)
def test_a_flag_and_its_key_say_the_same(
    each: Declared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labctl.spec.readers.known_releases", lambda: ("13", "14"))
    value = another(each)
    by_flag, _ = load_spec(None, {each.key.flag: value})
    conf = tmp_path / "lab.conf"
    conf.write_text(f'{each.key.path} = "{value}"\n', encoding="utf-8")
    by_key, _ = load_spec(conf, {})
    assert by_flag == by_key
    changed = {
        name.name
        for name in dataclasses.fields(Spec)
        if getattr(by_flag, name.name) != getattr(Spec(), name.name)
    }
    assert changed == {each.attribute}


@pytest.mark.parametrize(
    "spec",
    [
        Spec(),
        Spec(visitors_layout=VisitorsLayout.LOCAL, relays=True, turn=True, max_participants=3),
        Spec(
            packages=Packages(
                PackageSource.DEBS, files=("/a.deb", "/b.deb"), versions={"jicofo": "1.0-1-1"}
            ),
            sizes={role: Size(memory_mib=777, cpus=3) for role in Role},
        ),
    ],
    ids=["default", "changed", "nested"],
)
def test_topology_json_keeps_the_whole_spec(spec: Spec) -> None:
    topology = resolve(spec)
    text = json.dumps(topology.to_json())
    assert Topology.from_json(json.loads(text)) == topology


def test_a_key_that_an_older_file_does_not_know_has_its_default() -> None:
    data = Spec(jvbs=7, turn=True).to_json()
    del data["turn"]
    assert Spec.from_json(data) == Spec(jvbs=7)


def test_bounds_are_those_of_the_declaration() -> None:
    for each in KEYS:
        if isinstance(each.key.kind, WholeNumber):
            bounds = f"from {each.key.kind.least} to {each.key.kind.most}"
            with pytest.raises(Exception, match=bounds):
                load_spec(None, {each.key.flag: str(each.key.kind.most + 1)})
            assert spec_from_data({}, base=Path("/b")) == Spec()
