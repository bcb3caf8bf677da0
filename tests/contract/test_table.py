"""The tables and the matrix: entries have sources, names are unique, references lead somewhere."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from labctl.contract.pairs import NOT_RUN, load_pairs, render_pairs
from labctl.contract.table import FOLDER, ContractEntry, EntryKind, load_table
from labctl.core.errors import LabError
from labctl.images.packages import MAIN_PACKAGES
from labctl.topology.spec import Role

ROOT = Path(__file__).resolve().parents[2]
TABLE = load_table()


def test_every_package_and_every_kind_has_entries() -> None:
    assert {entry.package for entry in TABLE} == set(MAIN_PACKAGES)
    assert {entry.kind for entry in TABLE} == set(EntryKind)
    assert {path.stem for path in FOLDER.glob("*.toml")} == {*MAIN_PACKAGES, "pairs"}


@pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.id)
def test_an_entry_names_its_source(entry: ContractEntry) -> None:
    assert re.match(r"docs/facts/[a-z-]+\.md, \d", entry.source), entry.source
    assert re.fullmatch(r"[a-z-]+\.[a-z0-9-]+", entry.id)


def test_names_are_unique_and_begin_with_their_package() -> None:
    assert max(Counter(entry.id for entry in TABLE).values()) == 1
    prefixes = {(entry.package, entry.id.partition(".")[0]) for entry in TABLE}
    assert len(prefixes) == len(MAIN_PACKAGES)


def test_what_the_bridge_logs_is_looked_for_on_every_bridge() -> None:
    for entry in TABLE:
        if entry.what.get("seen_in") == "/var/log/jitsi/jvb.log":
            assert entry.roles == {Role.JMS, Role.JVB}, entry.id


BASE = 'id = "a.b"\nkind = "file"\npath = "/x"\nsource = "docs/facts/packages.md, 2"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param(
            BASE.replace('source = "docs/facts/packages.md, 2"\n', ""), "no 'source'", id="source"
        ),
        pytest.param(BASE.replace('"file"', '"thing"'), "'thing' is not a kind", id="kind"),
        pytest.param(BASE.replace("path", "pat"), "lacks path", id="lacking key"),
        pytest.param(BASE + "moed = '750'\n", "has unknown keys moed", id="unknown key"),
        pytest.param(BASE + "contains = '('\n", "'contains' is not a valid pattern", id="pattern"),
        pytest.param(BASE + 'roles = ["jbv"]\n', "'jbv' is not a role", id="role"),
        pytest.param(f"{BASE}[[entry]]\n{BASE}", "'a.b' is defined twice", id="twice"),
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


@pytest.mark.parametrize(
    ("package", "line", "said"),
    [
        ("jicofo", 'since = "May"', "'since' is not a version such as '2.3-294': 'May'"),
        ("jitsi-meet-web", 'until = "1.0-3"', "has no known order of versions, so until means"),
    ],
)
def test_a_wrong_range_is_refused(tmp_path: Path, package: str, line: str, said: str) -> None:
    for name in MAIN_PACKAGES:
        text = f"[[entry]]\n{BASE}{line}\n" if name == package else ""
        (tmp_path / f"{name}.toml").write_text(text)
    with pytest.raises(LabError, match=re.escape(said)):
        load_table(tmp_path)


def test_ranges_of_the_table_leave_no_version_out() -> None:
    """What holds until a version has its opposite from the next one on, else something is lost."""
    ranges = [entry.versions for entry in TABLE if entry.versions is not None]
    ends = {(one.package, one.until) for one in ranges if one.until}
    for package, until in ends:
        head, _, number = str(until).rpartition("-")
        assert any(
            one.package == package and one.since == f"{head}-{int(number) + 1}" for one in ranges
        )


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
