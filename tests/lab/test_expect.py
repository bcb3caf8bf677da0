"""How long a lab takes is learnt from earlier labs of the same shape."""

from __future__ import annotations

import pytest

from labctl.core.progress import Timings
from labctl.lab.expect import (
    KEPT,
    durations_file,
    find_expected,
    has_machines,
    note_duration,
    shape_of,
    slowest_phase,
)
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec, VisitorsLayout

SHAPE = "docker, 1 jms"


def took(**seconds: float) -> Timings:
    return Timings(seconds)


def test_nothing_is_expected_of_the_first() -> None:
    assert find_expected(SHAPE) is None
    assert not durations_file().exists()


def test_the_median_of_the_last_runs() -> None:
    for seconds in (100.0, 4.0, 6.0, 5.0, 90.0, 7.0):
        note_duration(SHAPE, took(host=9.0, images=200.0, machines=seconds, ready=1.0))
    expected = find_expected(SHAPE)
    assert expected is not None
    assert expected.runs == KEPT
    assert expected.phases == {"render": 0.0, "machines": 6.0, "provision": 0.0, "ready": 1.0}
    assert str(expected) == "about 7 s more, as in 5 earlier runs of such a lab"
    assert find_expected("libvirt, 1 jms") is None


def test_one_run_is_said_as_one() -> None:
    note_duration(SHAPE, took(ready=0.2))
    assert str(find_expected(SHAPE)) == "about 1 s more, as in an earlier run of such a lab"


def test_a_damaged_file_is_begun_anew() -> None:
    durations_file().parent.mkdir(parents=True, exist_ok=True)
    durations_file().write_text('{"format": 1, "shapes": 3}')
    assert find_expected(SHAPE) is None
    note_duration(SHAPE, took(machines=2.0))
    assert find_expected(SHAPE) is not None


def test_a_file_that_cannot_be_written_stops_nothing() -> None:
    durations_file().mkdir(parents=True)
    note_duration(SHAPE, took(machines=2.0))
    assert find_expected(SHAPE) is None


@pytest.mark.parametrize(
    "other",
    [
        Spec(jvbs=2),
        Spec(jvbs=1, visitors=9),
        Spec(jvbs=1, relays=True),
        Spec(jvbs=1, small=True),
        Spec(jvbs=1, visitors_layout=VisitorsLayout.LOCAL),
    ],
    ids=["bridges", "vnodes", "relays", "small", "layout"],
)
def test_other_labs_have_other_shapes(other: Spec) -> None:
    shape = shape_of(resolve(Spec(jvbs=1)), stand_ins=True)
    assert shape == "docker, 1 jms 1 jvb 1 visitors, 8 vnodes, stand-ins"
    assert shape_of(resolve(other), stand_ins=True) != shape
    assert shape_of(resolve(Spec(jvbs=1)), stand_ins=False) != shape
    named = Spec(jvbs=1, lab="other", max_participants=3, domain="a.example")
    assert shape_of(resolve(named), stand_ins=True) == shape


def test_machines_are_those_that_vagrant_has_made(lab: Lab) -> None:
    assert not has_machines(lab.folder)
    made = lab.folder.vagrant / "machines" / "jms" / "docker"
    made.mkdir(parents=True)
    assert not has_machines(lab.folder)
    (made / "id").write_text("x")
    assert has_machines(lab.folder)


def test_the_slowest_phase_is_named() -> None:
    seconds = {"host": 0.1, "machines": 4.24, "ready": 3.0}
    assert slowest_phase(seconds, None) == "starting the machines (machines), 4.2 s"
    note_duration(SHAPE, took(machines=2.0))
    said = slowest_phase(seconds, find_expected(SHAPE))
    assert said == "starting the machines (machines), 4.2 s, usually 2.0 s"
    assert "baking" in slowest_phase({"images": 60.0, "ready": 3.0}, find_expected(SHAPE))
