"""What must be undone is on disk before, and goes only when it was undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.core.state import Flaw, StateError
from labctl.drills.journal import Journal, UndoEntry, forget_journal, journal_path, load_journal
from labctl.topology.workdir import Workdir
from tests.samples import SAMPLES

ONE = UndoEntry("jvb1", "jvb1", "systemctl start one")
TWO = UndoEntry("jvb2", "jvb2", "nft delete table two")


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
    ran: list[UndoEntry] = []
    journal.settle(ran.append)
    assert ran == [TWO, ONE]
    assert load_journal(workdir) is None


def test_what_could_not_be_undone_stays_and_is_named(workdir: Workdir) -> None:
    journal = Journal(workdir, what="bridge-hang")
    journal.add(ONE)
    journal.add(TWO)
    ran: list[UndoEntry] = []

    def run(entry: UndoEntry) -> None:
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


def test_a_journal_of_the_first_labctl_is_undone(workdir: Workdir) -> None:
    workdir.path.mkdir()
    sample = SAMPLES / "labs" / "containers" / "drill.json"
    journal_path(workdir).write_text(sample.read_text())
    found = load_journal(workdir)
    assert found is not None
    assert found.entries == [
        UndoEntry("jvb1", "start jvb1", "systemctl start jitsi-videobridge2.service")
    ]


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        pytest.param("", Flaw.DAMAGED, id="empty"),
        pytest.param('{"drill": "x", "undo": [{"node": "jvb1"', Flaw.DAMAGED, id="cut"),
        pytest.param('{"drill": "x", "undo": [{"node": "jvb1"}]}', Flaw.DAMAGED, id="lost"),
        pytest.param('{"format": 2, "drill": "x", "undo": []}', Flaw.NEWER, id="newer"),
    ],
)
def test_what_cannot_be_read_may_still_be_broken(workdir: Workdir, text: str, flaw: Flaw) -> None:
    workdir.path.mkdir()
    journal_path(workdir).write_text(text)
    with pytest.raises(StateError) as caught:
        load_journal(workdir)
    assert caught.value.flaw is flaw
    assert caught.value.hint == (
        "Run 'labctl down', then 'labctl up': new nodes have no faults of an interrupted drill."
    )
    forget_journal(workdir)
    assert load_journal(workdir) is None
    forget_journal(workdir)
