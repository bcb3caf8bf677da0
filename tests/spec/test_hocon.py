"""HOCON files: what is wrong with one is said with its place, and too much is refused."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from labctl.core.errors import LabError, SpecError
from labctl.spec.hocon import (
    MOST_CHARACTERS,
    MOST_QUOTED,
    MOST_SUBSTITUTIONS,
    excess,
    load_hocon,
    parse_hocon,
    tidy,
)


@pytest.mark.parametrize(
    ("data", "key", "message"),
    [
        (b"jvbs = \xff", "file", "is not UTF-8 text."),
        (b"a = 1\nb = = 2", "line 2, column 5", "is not HOCON: 'b = = 2' cannot be read."),
        (b'include "missing.conf"', "include", "missing.conf"),
        (b'include required("missing.conf")', "include", "missing.conf' cannot be read: No such"),
        (b'include "latin.conf"', "include", "names a file that is not UTF-8 text."),
        (b'include "lab.conf"', "file", "is nested too deeply, or includes itself."),
        (b'include url("http://127.0.0.1/x")', "file", "only files can be included."),
        (b"a = ${nowhere}", "file", "nowhere"),
        (b"[1, 2]", "file", "must hold keys, not a list."),
    ],
    ids=["text", "syntax", "missing", "required", "its text", "itself", "web", "unknown", "list"],
)
def test_a_problem_has_its_place_and_its_file(
    data: bytes, key: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "latin.conf").write_bytes("a = ä".encode("latin-1"))
    conf = tmp_path / "lab.conf"
    conf.write_bytes(data)
    with pytest.raises(SpecError) as caught:
        load_hocon(conf)
    assert caught.value.message.startswith(f"'{conf}'")
    (problem,) = caught.value.problems
    assert problem.key == key
    assert message in problem.message
    assert (problem.hint == "Save it in the encoding UTF-8.") is ("not UTF-8" in message)


def test_a_file_that_is_not_there_is_named_with_the_flag(tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        load_hocon(tmp_path / "lab.conf")
    assert (
        caught.value.message == f"'{tmp_path}/lab.conf' cannot be read: No such file or directory."
    )
    assert caught.value.hint == "Name the file with '--config'."


def test_pyhocon_logs_as_before_once_a_file_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    conf = tmp_path / "lab.conf"
    conf.write_text('include "missing.conf"')
    with pytest.raises(SpecError):
        load_hocon(conf)
    assert not caplog.records
    logging.getLogger("pyhocon.config_parser").warning("later")
    assert [record.message for record in caplog.records] == ["later"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = = 1", "Expected"),
        ("[1]", "^it holds no keys$"),
        ("a = " + "[" * 2000 + "]" * 2000, "^it is nested too deeply, or includes itself$"),
    ],
    ids=["syntax", "list", "depth"],
)
def test_text_of_another_program_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_hocon(text)


def test_quotes_around_a_key_are_no_part_of_it() -> None:
    assert parse_hocon('"a.b" { " c" = 1 }') == {"a.b": {" c": 1}}


def test_what_another_program_substitutes_stays_open() -> None:
    assert parse_hocon("a = 1\nb = ${?HOME}\nc = null")["a"] == 1
    assert "HOME" in str(parse_hocon("b = ${HOME}")["b"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a" * MOST_CHARACTERS, ""),
        ("a" * (MOST_CHARACTERS + 1), "characters besides comments"),
        (("a" * 100 + " " * 900 + "\n") * 20, ""),
        ("a" * 40 + f'\n"{"q" * (MOST_QUOTED - 2)}"', ""),
        (f'"{"q" * (MOST_QUOTED - 1)}"', "characters of quoted text"),
        ("# " + "c" * 9 * MOST_CHARACTERS, ""),
        ("3 minutes " * (MOST_CHARACTERS // 10), ""),
        ("3 minutes " * (MOST_CHARACTERS // 10 + 1), "characters besides comments"),
        ("${a}" * MOST_SUBSTITUTIONS, ""),
        ("${a}" * (MOST_SUBSTITUTIONS + 1), f"more than {MOST_SUBSTITUTIONS} substitutions"),
        ('"${a}"' * (MOST_SUBSTITUTIONS + 1), ""),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_what_is_too_much_is_said(text: str, said: str) -> None:
    found = excess(text)
    assert said in found
    assert bool(found) == bool(said)


def test_amounts_become_text_and_quoted_text_stays() -> None:
    assert tidy('a = 5 m\nb = "5 m"\nc = 5m # 5 m\nd\u00a0= 2048 x') == (
        'a = "5 m"\nb = "5 m"\nc = "5m" # 5 m\nd = 2048 x'
    )
