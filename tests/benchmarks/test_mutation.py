"""What mutmut leaves behind is read as what it is, and judged by the reasons."""

from __future__ import annotations

from collections import Counter
from configparser import ConfigParser

import pytest

from benchmarks.mutation import (
    Fate,
    Group,
    Mutant,
    Reason,
    judge,
    load_groups,
    load_reasons,
    read_file,
    render_settings,
)
from labctl.topology.workdir import ROOT

SOURCE = """
def x_size__mutmut_orig(text):
    return len(text) + 1

def x_size__mutmut_1(text):
    return len(text) - 1

def x_size__mutmut_2(text):
    return len(text) + 2

class Box:
    async def xǁBoxǁopen__mutmut_orig(self):
        return True

    async def xǁBoxǁopen__mutmut_1(self):
        return False
"""


def test_a_mutant_has_its_place_its_change_and_its_fate() -> None:
    codes = {
        "labctl.a.x_size__mutmut_1": 1,
        "labctl.a.x_size__mutmut_2": 0,
        "labctl.a.xǁBoxǁopen__mutmut_1": 33,
        "labctl.a.x_gone__mutmut_1": None,
    }
    killed, survived, untested, unknown = read_file(SOURCE, codes)
    assert (killed.place, killed.fate) == ("labctl.a.size", Fate.NOTICED)
    assert survived.change == ("-    return len(text) + 1", "+    return len(text) + 2")
    assert (survived.fate, untested.fate) == (Fate.SURVIVED, Fate.UNTESTED)
    assert (untested.place, untested.change[1]) == ("labctl.a.Box.open", "+    return False")
    assert (unknown.fate, unknown.change) == (Fate.UNKNOWN, ())


@pytest.mark.parametrize(
    ("code", "fate"),
    [(37, Fate.REFUSED), (-24, Fate.ENDLESS), (36, Fate.ENDLESS), (-9, Fate.UNKNOWN)],
)
def test_exit_statuses(code: int, fate: Fate) -> None:
    (mutant,) = read_file(SOURCE, {"labctl.a.x_size__mutmut_1": code})
    assert mutant.fate is fate


def mutants(noticed: int, *left: Mutant) -> list[Mutant]:
    return [Mutant(f"a.x__mutmut_{i}", "a", (), Fate.NOTICED) for i in range(noticed)] + [*left]


SURVIVOR = Mutant("a.x_b__mutmut_1", "a.b", ("-  n=1", "+  n=2"), Fate.SURVIVED)
FITTING = Reason("the first is taken", change=r"\+.*n=2", where="a.*")


@pytest.mark.parametrize(
    ("reason", "fits"),
    [
        (FITTING, True),
        (Reason("elsewhere", change="n=2", where="c.*"), False),
        (Reason("another change", change="n=3"), False),
        (Reason("anything there", where="a.b"), True),
    ],
)
def test_a_reason_fits_by_place_and_change(reason: Reason, fits: bool) -> None:
    score = judge([SURVIVOR], [reason])
    assert score.unexplained == (() if fits else (SURVIVOR,))
    assert score.reasons == Counter({reason.why: 1} if fits else {})


@pytest.mark.parametrize(
    ("noticed", "left", "good"),
    [
        (9, [SURVIVOR], True),
        (8, [SURVIVOR], False),
        (99, [Mutant("a.x", "c", ("+ 1",), Fate.SURVIVED)], False),
        (99, [Mutant("a.x", "c", ("+ 1",), Fate.UNTESTED)], False),
        (99, [Mutant("a.x", "c", ("+ 1",), Fate.UNKNOWN)], False),
        (0, [], False),
    ],
)
def test_nine_of_ten_are_noticed_and_each_other_has_a_reason(
    noticed: int, left: list[Mutant], good: bool
) -> None:
    assert judge(mutants(noticed, *left), [FITTING]).good is good


def test_the_settings_are_what_mutmut_reads() -> None:
    group = Group(("labctl/a/*.py", "labctl/b.py"), ("tests/a",))
    settings = ConfigParser()
    settings.read_string(render_settings(group, ["README.md", "labctl/b.py", "tests/a/test_a.py"]))
    found = {key: value.split("\n")[1:] for key, value in settings["mutmut"].items()}
    assert found["only_mutate"] == ["labctl/a/*.py", "labctl/b.py"]
    assert found["also_copy"] == ["README.md", "tests"]
    assert found["pytest_add_cli_args_test_selection"][-1] == "tests/a"


def test_every_group_names_files_that_exist_and_every_reason_is_a_sentence() -> None:
    for name, group in load_groups().items():
        assert all(list(ROOT.glob(pattern)) for pattern in group.code), name
        assert all((ROOT / test).exists() for test in group.tests), name
    assert all(reason.why for reason in load_reasons())
