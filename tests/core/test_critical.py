"""The steps that held up the end of a run, and no others."""

from __future__ import annotations

from labctl.core.critical import PathStep, critical_path
from labctl.core.progress import StepTime, Timings


def timings(*steps: tuple[str, str | None, float, float], **phases: float) -> Timings:
    found = [StepTime("provision", what, node, began, ended) for what, node, began, ended in steps]
    return Timings(phases or {"provision": 10.0}, found)


def test_what_ended_last_before_a_step_is_what_it_waited_for() -> None:
    path = critical_path(
        timings(
            ("place", "jms", 0.0, 2.0),
            ("place", "jvb1", 0.0, 5.0),
            ("stage 2", "jms", 5.001, 10.0),
            ("stage 2", "jvb1", 5.001, 6.0),
        )
    )
    assert [(step.node, step.what) for step in path] == [("jvb1", "place"), ("jms", "stage 2")]
    assert str(path[0]) == "jvb1: place 5.0 s"


def test_a_node_waits_for_itself_rather_than_for_one_that_ended_at_the_same_time() -> None:
    path = critical_path(
        timings(
            ("place", "jms", 0.0, 4.0),
            ("place", "jvb1", 0.0, 4.002),
            ("commands", "jms", 4.001, 10.0),
        )
    )
    assert [step.node for step in path] == ["jms", "jms"]


def test_steps_that_overlap_the_path_are_not_on_it() -> None:
    path = critical_path(timings(("long", "jms", 0.0, 10.0), ("short", "jvb1", 2.0, 9.9)))
    assert [step.what for step in path] == ["long"]


def test_phases_without_steps_and_gaps_are_told() -> None:
    found = timings(("place", "jms", 1.0, 2.0), images=0.5, provision=1.5, ready=0.05)
    assert critical_path(found) == (
        PathStep("images", None, "all of it", 0.5),
        PathStep("provision", "jms", "place", 1.0),
        PathStep("provision", None, "between steps", 0.5),
    )


def test_a_step_belongs_to_the_phase_in_which_it_began() -> None:
    found = Timings()
    with found.phase("machines"), found.step("vagrant up"):
        pass
    with found.phase("ready"), found.step("media", node="jms"):
        pass
    assert [(it.phase, it.what, it.node) for it in found.steps] == [
        ("machines", "vagrant up", None),
        ("ready", "media", "jms"),
    ]
