"""How long a drill may take: what else this machine does is not the packages' fault."""

from __future__ import annotations

from dataclasses import replace

import pytest

from labctl.core.waiting import Patience
from labctl.drills import want_drills
from labctl.drills.run import budget_of
from labctl.topology.lab import Lab

[STOPPED] = want_drills(("bridge-stop",))


@pytest.mark.parametrize(
    ("at_first", "meanwhile", "times"),
    [(1.0, 1.0, 1.0), (2.0, 1.0, 2.0), (1.0, 3.0, 3.0), (2.0, 3.0, 3.0)],
    ids=["quiet", "busy at first", "busy later", "busy all the time"],
)
def test_the_budget_grows_with_the_load_that_was_measured(
    lab: Lab, at_first: float, meanwhile: float, times: float
) -> None:
    busy = replace(lab, patience=Patience(at_first))
    assert budget_of(STOPPED, busy, crowding=meanwhile) == pytest.approx(STOPPED.budget * times)


def test_slow_machines_have_more_time_whatever_the_load(lab: Lab) -> None:
    lab.folder.save_machines({"patience": 3.0})
    assert lab.folder.load_patience().factor == 3.0
    assert budget_of(STOPPED, lab, crowding=1.0) == pytest.approx(STOPPED.budget * 3)
    assert budget_of(STOPPED, lab, crowding=2.0) == pytest.approx(STOPPED.budget * 6)
