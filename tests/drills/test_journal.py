"""What must be undone is on disk before, and goes only when it was undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labctl.drills.journal import Entry, Journal, journal_path, load_journal
from labctl.errors import LabError
from labctl.workdir import Workdir

ONE = Entry("jvb1", "jvb1", "systemctl start one")
TWO = Entry("jvb2", "jvb2", "nft delete table two")


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    return Workdir(tmp_path / "lab")


def test_an_entry_is_on_disk_when_add_returns(workdir: Workdir) -> None:
    Journal(workdir, what="bridge-stop").add(ONE)
    data = json.loads(journal_path(workdir).read_text())
    assert data["drill"] == "bridge-stop"
    assert data["undo"][0]["script"] == "systemctl start one"


def test_the_next_labctl_finds_what_is_left(workdir: Workdir) -> None:
    journal = Journal(workdir, what="bridge-stop")
    journal.add(ONE)
    journal.add(TWO)
    journal.add(ONE)
    found = load_journal(workdir)
    assert found is not None
    assert found.entries == [ONE, TWO]


def test_undos_run_newest_first_and_the_file_goes(workdir: Workdir) -> None:
    journal = Journal(workdir, what="x")
    journal.add(ONE)
    journal.add(TWO)
    ran: list[Entry] = []
    journal.settle(ran.append)
    assert ran == [TWO, ONE]
    assert load_journal(workdir) is None


def test_what_could_not_be_undone_stays_and_is_named(workdir: Workdir) -> None:
    journal = Journal(workdir, what="bridge-hang")
    journal.add(ONE)
    journal.add(TWO)
    ran: list[Entry] = []

    def run(entry: Entry) -> None:
        ran.append(entry)
        if entry is TWO:
            raise LabError("Node 'jvb2' cannot be reached by ssh: no answer.")

    with pytest.raises(LabError, match="'bridge-hang' could not be undone on 'jvb2'"):
        journal.settle(run)
    assert ran == [TWO, ONE]
    found = load_journal(workdir)
    assert found is not None
    assert found.entries == [TWO]


def test_no_file_means_nothing_is_left(workdir: Workdir) -> None:
    assert load_journal(workdir) is None


@pytest.mark.parametrize("text", ["", "{", '{"drill": "x"}', "[]"], ids=repr)
def test_a_file_that_cannot_be_read_is_not_passed_over(workdir: Workdir, text: str) -> None:
    workdir.path.mkdir()
    journal_path(workdir).write_text(text)
    with pytest.raises(LabError, match="cannot be read"):
        load_journal(workdir)
