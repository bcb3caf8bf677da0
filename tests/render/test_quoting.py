"""Values in each language that labctl renders."""

from __future__ import annotations

import json
from typing import Any

import pytest
from lupa import LuaRuntime

from labctl.render.quoting import comment, hocon, json_text, lua, nginx, sh

WORDS = ["", "a b", 'a"b', "a\\b", "a\nb\rc", "a\0b", "ü", "it's", "\\n"]


@pytest.mark.parametrize("words", WORDS)
def test_lua_reads_text_as_it_was(words: str) -> None:
    assert LuaRuntime(encoding="utf-8").eval(lua(words)) == words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (0.25, "0.25"),
        ([], "{  }"),
        (("a", 1), '{ "a"; 1; }'),
        ({"a b": 1, "c": ["d"]}, '{ ["a b"] = 1; ["c"] = { "d"; }; }'),
        (None, '"None"'),
    ],
)
def test_lua_literals(value: Any, text: str) -> None:
    assert lua(value) == text


@pytest.mark.parametrize("value", [*WORDS, True, False, 7, 0.25, ["a", 1], {"a": "ü"}])
def test_json_reads_values_as_they_were(value: Any) -> None:
    assert json.loads(json_text(value)) == value
    assert hocon(value) == json_text(value)


def test_json_is_readable_and_has_text_for_what_it_does_not_know() -> None:
    assert json_text("ü") == '"ü"'
    assert json_text(None) == '"None"'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("/etc/x.conf", "/etc/x.conf"),
        ("fe80::1", "fe80::1"),
        (8080, "8080"),
        ("", '""'),
        ("a b", '"a b"'),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
        ("a;b", '"a;b"'),
    ],
)
def test_nginx_parameters(value: object, text: str) -> None:
    assert nginx(value) == text


@pytest.mark.parametrize("text", ["$host", "a b$", "a\nb"])
def test_what_nginx_cannot_quote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="nginx cannot quote"):
        nginx(text)


@pytest.mark.parametrize(("value", "text"), [("a", "a"), ("a b", "'a b'"), (7, "7"), ("", "''")])
def test_shell_words(value: object, text: str) -> None:
    assert sh(value) == text


@pytest.mark.parametrize(("value", "text"), [("a\nb\r\n  c ", "a b c"), (7, "7")])
def test_a_comment_stays_on_its_line(value: object, text: str) -> None:
    assert comment(value) == text
