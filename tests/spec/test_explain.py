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
    with pytest.raises(
        UsageError, match=f"There is no key '{typed}'. Did you mean '{meant}'"
    ) as it:
        explain_key(typed)
    assert it.value.hint == "'labctl config explain' lists all keys."


def test_a_key_that_is_like_no_other_gets_no_guess() -> None:
    with pytest.raises(UsageError) as caught:
        explain_key("xyzzy")
    assert caught.value.message == "There is no key 'xyzzy'."


def test_a_key_without_flag_and_other_name_has_none() -> None:
    facts = explain_key("encrypt")
    assert (facts.flag, facts.short) == ("", "")
    file = explain_key("packages.versions-file")
    assert (file.default, file.flag) == ("", "")


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
    usual = load_with_origins(None, {})
    sizes = {each.key: each.value for each in resolved_values(usual.spec, usual.origins)}
    assert sizes["roles.jms.memory"] == 4096
    settable = {each.key for each in all_keys()} - {"packages", "packages.versions-file"}
    assert set(values) == settable


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        3,
        "open",
        "192.168.56.0/24",
        "a b",
        ["x", "y z"],
        {"jicofo": "1.0-1196-1"},
        {"jicofo": "1.0-1196-1", "jitsi-meet": "a,b"},
        {},
    ],
    ids=str,
)
def test_a_value_is_written_as_it_is_read(value: object) -> None:
    read = parse_hocon(f"key = {value_text(value)}")["key"]
    assert read == ({True: "on", False: "off"}[value] if isinstance(value, bool) else value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ({}, "{}"),
        ("open", "open"),
        ("XL", "XL"),
        ("10.1.0.0/16", '"10.1.0.0/16"'),
        ({"a": 1, "b": True}, "{ a = 1, b = on }"),
        ((1, "x y"), '[1, "x y"]'),
    ],
    ids=str,
)
def test_only_what_must_be_is_in_quotes(value: object, text: str) -> None:
    assert value_text(value) == text
