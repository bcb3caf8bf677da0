"""What others use of this machine, from what the kernel and the nodes say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.gate.load import Sample, measure_load, parse_pressure, parse_stat, take_sample
from labctl.gate.usage import Usage, parse_starts, parse_usage, sum_units

STAT = "cpu  354596 124052 120211 41116 1403 0 3664 5088 900 0\ncpu0 1 2 3 4 5 6 7 8 9 10\n"
PRESSURE = """\
some avg10=94.19 avg60=84.99 avg300=88.51 total=2666972950
full avg10=0.00 avg60=0.00 avg300=0.00 total=0
"""
BEFORE = Sample(100.0, 50.0, 1.0, 5.0, 3.0, 10.0)


def test_what_the_kernel_says() -> None:
    assert parse_stat(STAT, ticks=100) == (6025.23, 50.88)
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
