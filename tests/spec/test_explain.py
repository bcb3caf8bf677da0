"""Keys in words, all from their declarations."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.errors import UsageError
from labctl.spec import load_with_origins
from labctl.spec.explain import all_keys, explain_key, resolved_values, value_text
from labctl.spec.hocon import parse_hocon
from labctl.topology.keys import declared
from labctl.topology.spec import Spec


def test_every_declared_key_is_explained() -> None:
    keys = {each.key for each in all_keys()}
    assert {each.key.path for each in declared(Spec)} - keys == {"roles"}
    assert {"packages.versions-file", "packages.path", "roles.visitors.cpus"} <= keys
    assert all(each.help for each in all_keys())


def test_a_key_in_words() -> None:
    facts = explain_key("visitors")
    assert facts == explain_key("visitors.count")
    assert (facts.key, facts.help) == ("visitors.count", "Visitor Prosodies.")
    assert (facts.bounds, facts.default) == ("0 to 64.", "8")
    assert (facts.flag, facts.metavar, facts.short) == ("--visitors", "N", "visitors")
    assert explain_key("visitors.per_node").key == "visitors.per-node"
    assert explain_key("roles.jvb.memory").default == "2 GiB"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("vistors", "visitors"),
        ("visitors.per-nod", "visitors.per-node"),
        ("memroy", "roles.jms.memory"),
        ("max-participant", "max-participants"),
    ],
)
def test_a_mistyped_key_gets_the_nearest(typed: str, meant: str) -> None:
    with pytest.raises(UsageError, match=f"There is no key '{typed}'. Did you mean '{meant}'"):
        explain_key(typed)


def test_all_values_of_a_spec(tmp_path: Path) -> None:
    conf = tmp_path / "lab.conf"
    conf.write_text("small = on\nroles { jvb { memory = 700 } }\nvisitors = 3\n")
    wish = load_with_origins(conf, {"jvbs": "1"})
    values = {each.key: (each.value, str(each.origin)) for each in
              resolved_values(wish.spec, wish.origins)}  # fmt: skip
    assert values["visitors.count"] == (3, f"{conf}, line 3")
    assert values["jvbs"] == (1, "--jvbs")
    assert values["roles.jvb.memory"] == (700, f"{conf}, line 2")
    assert values["roles.jms.memory"] == (1536, "default"), "that of a small lab"
    assert values["network"] == ("192.168.56.0/24", "default")
    settable = {each.key for each in all_keys()} - {"packages", "packages.versions-file"}
    assert set(values) == settable


@pytest.mark.parametrize(
    "value",
    [True, 3, "open", "192.168.56.0/24", "a b", ["x", "y z"], {"jicofo": "1.0-1196-1"}, {}],
    ids=str,
)
def test_a_value_is_written_as_it_is_read(value: object) -> None:
    read = parse_hocon(f"key = {value_text(value)}")["key"]
    assert read == ("on" if value is True else value)
