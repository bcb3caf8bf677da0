"""The tables and the matrix: entries have sources, names are unique, references lead somewhere."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from labctl.contract.pairs import NOT_RUN, load_pairs, render_pairs
from labctl.contract.table import FOLDER, Entry, Kind, load_table
from labctl.errors import LabError
from labctl.model import Role
from labctl.packages import MAIN_PACKAGES

ROOT = Path(__file__).resolve().parents[2]
TABLE = load_table()


def test_every_package_and_every_kind_has_entries() -> None:
    assert {entry.package for entry in TABLE} == set(MAIN_PACKAGES)
    assert {entry.kind for entry in TABLE} == set(Kind)
    assert {path.stem for path in FOLDER.glob("*.toml")} == {*MAIN_PACKAGES, "pairs"}


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.id)
def test_an_entry_names_its_source(entry: Entry) -> None:
    sheet = r"facts (jicofo-jvb|jitsi-meet-prosody) \d|observed ['(,]|observed, row"
    assert re.match(sheet, entry.source), entry.source
    assert re.fullmatch(r"[a-z-]+\.[a-z0-9-]+", entry.id)


def test_names_are_unique_and_begin_with_their_package() -> None:
    assert max(Counter(entry.id for entry in TABLE).values()) == 1
    prefixes = {(entry.package, entry.id.partition(".")[0]) for entry in TABLE}
    assert len(prefixes) == len(MAIN_PACKAGES)


def test_what_the_bridge_logs_is_looked_for_on_every_bridge() -> None:
    for entry in TABLE:
        if entry.what.get("seen_in") == "/var/log/jitsi/jvb.log":
            assert entry.roles == {Role.JMS, Role.JVB}, entry.id


BASE = 'id = "a.b"\nkind = "file"\npath = "/x"\nsource = "facts jicofo-jvb 1"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            BASE.replace('source = "facts jicofo-jvb 1"\n', ""), "no 'source'", id="source"
        ),
        pytest.param(BASE.replace('"file"', '"thing"'), "'thing' is no kind", id="kind"),
        pytest.param(BASE.replace("path", "pat"), "lacks path", id="lacking key"),
        pytest.param(BASE + "moed = '750'\n", "does not know moed", id="unknown key"),
        pytest.param(BASE + "contains = '('\n", "'contains' is no pattern", id="pattern"),
        pytest.param(BASE + 'roles = ["jbv"]\n', "'jbv' is no role", id="role"),
        pytest.param(f"{BASE}[[entry]]\n{BASE}", "'a.b' stands there twice", id="twice"),
        pytest.param(
            'id = "a.b"\nkind = "log"\nfile = "/x"\nmessage = "^x"\nsource = "s"\n',
            "must not begin with '^'",
            id="anchor",
        ),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    for package in MAIN_PACKAGES:
        (tmp_path / f"{package}.toml").write_text("")
    (tmp_path / "jicofo.toml").write_text(f"[[entry]]\n{text}")
    with pytest.raises(LabError, match=re.escape(said)):
        load_table(tmp_path)


def test_pairs_name_entries_and_tests_that_exist() -> None:
    known = {entry.id for entry in TABLE}
    pairs = load_pairs()
    assert len({(pair.original, pair.stand_in) for pair in pairs}) == len(pairs)
    for pair in pairs:
        assert {pair.original, pair.stand_in} <= set(MAIN_PACKAGES)
        for one in pair.exchanges:
            assert set(one.entries) <= known, one.name
            assert one.tests and one.seen, one.name
            for test in one.tests:
                file, _, name = test.partition("::")
                assert f"def {name}" in (ROOT / file).read_text(), test


def test_the_matrix_counts_what_nobody_has_run() -> None:
    exchanges = [one for pair in load_pairs() for one in pair.exchanges]
    unseen = sum(one.seen == NOT_RUN for one in exchanges)
    assert f"{unseen} of them {NOT_RUN}" in render_pairs(load_pairs())
