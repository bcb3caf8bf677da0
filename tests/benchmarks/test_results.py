"""Figures are kept with what a comparison needs, and compared only where it means something."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.results import (
    RECORD,
    Figure,
    Machine,
    Record,
    Results,
    Unit,
    compare,
    newest,
    told,
)
from labctl.core.errors import LabError
from labctl.core.plain import to_plain
from labctl.core.state import load_state, save_state

MINE, OTHER = Machine("a", "A processor", 2, 4096), Machine("b", "A processor", 2, 4096)
KEPT = Record(
    "up",
    MINE,
    "abc",
    "2026-01-01T00:00:00+00:00",
    (1.0, 1.2),
    (
        Figure("cached", Unit.SECONDS, (10.0, 11.0, 12.0), aim=10.5),
        Figure("login", Unit.CPU, (2.0,)),
        Figure("again / status", Unit.RATIO, (0.5, 0.6, 0.7)),
        Figure("joins", Unit.OTHER, (7.0,)),
    ),
)


def slower(by: float, **changes: object) -> Record:
    """The same figures, so many times as long."""
    figures = tuple(
        replace(each, values=tuple(value * by for value in each.values)) for each in KEPT.figures
    )
    return replace(KEPT, figures=figures, **changes)  # type: ignore[arg-type]


def worse(new: Record, *, other_machine: bool = False) -> list[str]:
    return [it.name for it in compare(new, KEPT, other_machine=other_machine) if it.worse]


def test_what_became_a_fifth_slower_is_loud() -> None:
    assert worse(slower(1.19)) == []
    assert worse(slower(1.21)) == ["cached", "login", "again / status"]
    assert any("*** SLOWER ***" in str(each) for each in compare(slower(1.3), KEPT))


def test_seconds_are_not_judged_under_another_load() -> None:
    new = slower(1.5, load=(3.0, 3.0))
    assert worse(new) == ["login", "again / status"]
    assert "the load was 1.2, and is 3.0" in str(compare(new, KEPT)[0])


def test_another_machine_is_refused_unless_one_says_so() -> None:
    new = slower(1.5, machine=OTHER)
    with pytest.raises(LabError, match="another machine"):
        compare(new, KEPT)
    assert worse(new, other_machine=True) == ["again / status"]


def test_another_benchmark_is_refused() -> None:
    with pytest.raises(LabError, match="'up', not of 'crowd'"):
        compare(slower(1.0, benchmark="crowd"), KEPT)


def test_a_median_has_its_spread_and_its_aim() -> None:
    lines = list(told(KEPT))
    assert "cached" in lines[2] and "11 s" in lines[2] and "10 to 12" in lines[2]
    assert "NOT reached" in lines[2]
    assert "(aim" not in lines[3]


def test_ratios_are_of_the_same_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "this_commit", lambda: "abc")
    noted = Results("up")
    for one, other in ((1.0, 2.0), (3.0, 4.0)):
        noted.note("again", one)
        noted.note("status", other)
    noted.ratio("again / status", over="again", under="status", aim=0.7)
    assert noted.record().figures[-1] == Figure("again / status", Unit.RATIO, (0.5, 0.75), 0.7)


def test_the_newest_of_this_machine_is_found(tmp_path: Path) -> None:
    for name, record in (("1", KEPT), ("2", slower(2.0)), ("3", slower(3.0, machine=OTHER))):
        save_state(tmp_path / f"{name}.json", RECORD, to_plain(record))
    (tmp_path / "4.json").write_text("{")
    assert newest("up", machine=MINE, folder=tmp_path) == tmp_path / "2.json"
    assert load_state(tmp_path / "1.json", RECORD) == KEPT


def test_a_run_is_kept_and_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(results, "KEPT", tmp_path)
    monkeypatch.setattr(results, "this_machine", lambda: MINE)
    monkeypatch.setattr(results, "this_commit", lambda: "abc")
    parser = argparse.ArgumentParser()
    results.add_options(parser)

    def run(value: float, *words: str) -> int:
        noted = Results("up")
        noted.note("part", value, kind=Unit.RATIO)
        return noted.end(parser.parse_args(words))

    assert run(1.0, "--json", str(tmp_path / "up" / "1.json")) == 0
    assert "compared" not in capsys.readouterr().out
    assert run(1.3, "--json", str(tmp_path / "up" / "2.json")) == 1
    assert "*** SLOWER *** part: 1.30" in capsys.readouterr().out
    assert run(1.3, "--against", str(tmp_path / "up" / "2.json")) == 0
