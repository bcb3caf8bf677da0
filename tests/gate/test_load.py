"""What others use of this machine, from what the kernel and the nodes say."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.gate import load as module
from labctl.gate.load import Sample, measure_load, parse_pressure, parse_stat, take_sample
from labctl.gate.measures import Load
from labctl.gate.usage import Usage, parse_starts, parse_usage, sum_units

STAT = "cpu  354596 124052 120211 41116 1403 200 3664 5088 900 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
PRESSURE = """\
some avg10=94.19 avg60=84.99 avg300=88.51 total=2666972950
full avg10=0.00 avg60=0.00 avg300=0.00 total=0
"""
BEFORE = Sample(100.0, 50.0, 1.0, 5.0, 3.0, 10.0)


def test_what_the_kernel_says() -> None:
    assert parse_stat(STAT, ticks=100) == (6027.23, 50.88)
    assert parse_pressure(PRESSURE) == 2666.97295
    assert parse_pressure("") is None


def test_this_machine_says_so() -> None:
    first, second = take_sample(), take_sample()
    assert second.at >= first.at and second.busy >= first.busy and second.own >= first.own


def test_others_are_what_neither_nodes_nor_labctl_used() -> None:
    after = Sample(120.0, 80.0, 3.0, 9.0, 6.0, 18.0)
    found = measure_load(BEFORE, after, nodes=[10.0, 6.0], processors=2)
    assert found.seconds == 20.0
    assert found.others == pytest.approx((30.0 - 4.0 - 16.0) / 40.0)
    assert found.steal == pytest.approx(0.05)
    assert found.lost == pytest.approx(0.3)
    assert found.pressure == pytest.approx(0.4)
    assert (found.measured, found.disturbed) == (True, True)


def test_nodes_that_used_more_than_was_counted_leave_nothing_to_others() -> None:
    after = replace(BEFORE, at=120.0, busy=70.0)
    assert measure_load(BEFORE, after, nodes=[25.0], processors=2).others == 0.0


@pytest.mark.parametrize("nodes", [(), (10.0, None)], ids=["no node", "one does not say"])
def test_load_average_from_before_where_nodes_do_not_say(nodes: tuple[float | None, ...]) -> None:
    after = replace(BEFORE, at=120.0, busy=70.0, loadavg=40.0, pressure=None)
    found = measure_load(BEFORE, after, nodes=nodes, processors=4)
    assert (found.others, found.measured, found.pressure) == (0.75, False, None)


def test_what_a_node_says() -> None:
    usage = parse_usage("node 12.345\nunit prosody-v@1.service 1.5\nunit nginx.service\n")
    assert usage == Usage(12.345, {"prosody-v@1.service": 1.5})
    assert parse_usage("node \n") == Usage(None, {})


def test_units_of_a_kind_are_added_up() -> None:
    usages = {
        "jms": Usage(9.0, {"prosody.service": 1.0}),
        "visitors1": Usage(3.0, {"prosody-v@1.service": 0.5, "prosody-v@2.service": 0.25}),
    }
    assert sum_units(usages) == {"prosody": 1.0, "prosody-v": 0.75}


def test_starts() -> None:
    lines = ["Warning: x", "start jicofo 2650 3.120", "start jicofo 2700"]
    assert [(each.name, each.seconds, each.cpu) for each in parse_starts(lines)] == [
        ("jicofo", 2.65, 3.12),
        ("jicofo", 2.7, None),
    ]


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel says of itself, to be changed by a test."""
    (tmp_path / "stat").write_text(STAT)
    (tmp_path / "loadavg").write_text("3.25 2.50 1.75 2/345 6789\n")
    for name in ("stat", "loadavg", "pressure"):
        monkeypatch.setattr(module, name.upper(), tmp_path / name)
    monkeypatch.setattr("os.sysconf", {"SC_CLK_TCK": 100}.__getitem__)
    return tmp_path


def test_a_sample_is_what_the_kernel_says_at_one_instant(proc: Path) -> None:
    began = time.monotonic()
    found = take_sample()
    assert began <= found.at <= time.monotonic()
    assert (found.busy, found.steal, found.loadavg) == (6027.23, 50.88, 3.25)
    assert found.pressure is None
    (proc / "pressure").write_text(PRESSURE)
    assert take_sample().pressure == 2666.97295


def test_own_time_is_that_of_this_process_and_its_children() -> None:
    found = take_sample().own
    assert found == pytest.approx(sum(os.times()[:4]), abs=0.1)


def test_pressure_that_is_not_of_some_tasks_does_not_count() -> None:
    assert parse_pressure("full avg10=0.00 total=7\n") is None
    assert parse_pressure(f"full avg10=0.00 total=7\n{PRESSURE}") == 2666.97295


def test_all_processors_of_this_machine_count(monkeypatch: pytest.MonkeyPatch) -> None:
    after = replace(BEFORE, at=110.0, busy=70.0)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    found = measure_load(BEFORE, after, nodes=[0.0])
    assert (found.processors, found.others) == (8, pytest.approx(20 / 80))
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert measure_load(BEFORE, after, nodes=[0.0]).processors == 1


@pytest.mark.parametrize(
    ("after", "nodes", "others", "steal", "pressure"),
    [
        (Sample(110.0, 999.0, 99.0, 5.0, 3.0, 99.0), [0.0], 1.0, 1.0, 1.0),
        (Sample(110.0, 40.0, 0.5, 5.0, 3.0, 10.0), [0.0], 0.0, 0.0, 0.0),
        (Sample(110.0, 60.0, 3.0, 7.0, 3.0, 15.0), [2.0, 1.0], 0.25, 0.1, 0.5),
        (Sample(110.0, 60.0, 3.0, 7.0, 3.0, None), [2.0, 1.0], 0.25, 0.1, None),
        (Sample(100.0, 50.0, 1.0, 5.0, 3.0, 10.0), [0.0], 0.0, 0.0, 0.0),
    ],
    ids=["all", "nothing", "some", "no pressure", "no time"],
)
def test_shares_are_between_nothing_and_all(
    after: Sample, nodes: list[float], others: float, steal: float, pressure: float | None
) -> None:
    found = measure_load(BEFORE, after, nodes=nodes, processors=2)
    assert (found.others, found.steal) == pytest.approx((others, steal))
    assert found.pressure == (pressure if pressure is None else pytest.approx(pressure))
    assert (found.loadavg, found.measured) == (3.0, True)


def test_no_time_at_all_is_a_millisecond() -> None:
    assert measure_load(BEFORE, BEFORE, nodes=[0.0], processors=2).seconds == 0.001
    later = replace(BEFORE, at=BEFORE.at + 0.5)
    assert measure_load(BEFORE, later, nodes=[0.0], processors=2).seconds == 0.5


def test_a_load_average_is_no_more_than_all_processors() -> None:
    busy = replace(BEFORE, loadavg=9.0)
    assert measure_load(busy, replace(BEFORE, at=110.0), nodes=(), processors=2).others == 1.0
    without = replace(BEFORE, pressure=None)
    assert measure_load(without, BEFORE, nodes=(), processors=2).pressure is None


@pytest.mark.parametrize(
    "line", ["node", "node 1 2", "unit a", "unit a 1 2", "nodes 1", "units a 1", ""]
)
def test_other_words_of_a_node_are_left_out(line: str) -> None:
    assert parse_usage(f"{line}\nnode 1.5\nunit a.service 0.5\n{line}\n") == Usage(
        1.5, {"a.service": 0.5}
    )


@pytest.mark.parametrize("line", ["start", "start jicofo", "started jicofo 1 2", ""])
def test_other_words_of_a_start_are_left_out(line: str) -> None:
    (found,) = parse_starts([line, "start jicofo 2650 3.1 more", line])
    assert (found.name, found.seconds, found.cpu) == ("jicofo", 2.65, 3.1)


def test_kinds_of_units_on_several_nodes_begin_at_nothing() -> None:
    usages = {"a": Usage(None, {"x.service": 1.0}), "b": Usage(None, {"x.service": 2.0})}
    assert sum_units(usages) == {"x": 3.0}
    assert sum_units({}) == {}


@pytest.mark.parametrize(
    ("others", "steal", "lost", "disturbed"),
    [(0.2, 0.05, 0.25, False), (0.2, 0.06, 0.26, True), (0.9, 0.5, 1.0, True)],
)
def test_what_the_lab_could_not_have(
    others: float, steal: float, lost: float, disturbed: bool
) -> None:
    load = Load(20.0, 2, others, steal)
    assert load.lost == pytest.approx(lost)
    assert load.disturbed is disturbed
