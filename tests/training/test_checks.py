"""The library of checks, by values and on nodes that pretend."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.progress import silent
from labctl.topology.lab import Lab
from labctl.training.checks import health
from labctl.training.checks.base import CheckContext
from labctl.training.checks.health import parse_failures
from labctl.training.checks.people import check_hall, shortened
from labctl.training.checks.scripts import parse_answers
from labctl.training.checks.table import run_checks
from labctl.training.exercise import CheckCall
from labctl.training.frame import write_frame
from labctl.training.session import get_exercise
from tests.fakes.lab import PROBE, probe_answer
from tests.fakes.nodes import FakeNodes
from tests.lab.test_diagnose import healthy, state

ANSWERS = CheckCall(
    "answers",
    {"on": "jms", "file": "/root/a", "answers": {"bridge": "{bridge}", "people": "3"}},
)
JUNIT = """<testsuites><testsuite>
<testcase name="test_a_thing[v1]"><failure>x = 1
E   AssertionError: nobody came
</failure></testcase>
<testcase name="test_fine" />
<testcase name="test_broken"><error>There is no lab 'x'.</error></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def context(lab: Lab, tmp_path: Path) -> CheckContext:
    write_frame("mine", folder=tmp_path / "training")
    exercise = get_exercise("mine", folder=tmp_path / "training")
    return CheckContext(lab, exercise, silent, notes={"bridge": "jvb1"}, began=1700000000.5)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("bridge = jvb1\npeople = 3\n", ()),
        ("# bridge = x\nBridge='JVB1'\npeople=3\n", ()),
        ("bridge = jvb\npeople = 3\n", ("'bridge = jvb' is not what the logs say.",)),
        (
            "bridge = jvb1\npeople =\n",
            ("The question 'people' has no answer in '/root/a' on 'jms'.",),
        ),
    ],
    ids=["right", "written freely", "wrong", "lacking"],
)
def test_answers(
    context: CheckContext, nodes: FakeNodes, text: str, wrong: tuple[str, ...]
) -> None:
    nodes.says("jms", text, to='cat "/root/a"')
    [found] = run_checks(context, [ANSWERS])
    assert found.wrong == wrong


def test_answers_without_a_file(context: CheckContext, nodes: FakeNodes) -> None:
    nodes.says("jms", to="cat", code=1)
    [found] = run_checks(context, [ANSWERS])
    assert found.wrong == ("There is no file '/root/a' on 'jms': your answers belong there.",)


def test_a_script_knows_when_the_exercise_began(context: CheckContext, nodes: FakeNodes) -> None:
    nodes.says("jvb1", "one\n\ntwo\n", to="is-active", code=1)
    [found] = run_checks(context, [CheckCall("script", {"on": "jvb1", "run": "check.sh"})])
    assert found.wrong == ("one", "two")
    [ran] = nodes.ran_on("jvb1", "is-active")
    assert "note_began=1700000000\n" in ran.text


def test_a_script_that_fails_without_a_word(context: CheckContext, nodes: FakeNodes) -> None:
    nodes.says("jvb1", to="is-active", code=127, errors="sh: frob: not found\n")
    [found] = run_checks(context, [CheckCall("script", {"on": "jvb1", "run": "check.sh"})])
    assert found.wrong == ("'check.sh' on 'jvb1': sh: frob: not found",)


def test_a_node_that_is_silent_is_a_sentence(context: CheckContext, nodes: FakeNodes) -> None:
    nodes.silence("jvb1")
    [found] = run_checks(context, [CheckCall("script", {"on": "jvb1", "run": "check.sh"})])
    assert found.wrong == ("Node 'jvb1' cannot be reached by ssh: Connection timed out.",)


def test_nobody_is_sent_to_a_vnode_that_jicofo_does_not_know(
    context: CheckContext, nodes: FakeNodes
) -> None:
    topology = context.lab.topology
    nodes.says("jms", probe_answer(topology, topology.jms, connections="v1\n"), to=PROBE)
    found = CheckContext(context.lab, context.exercise, silent, given={"vnode": "v2"})
    assert list(check_hall(found)) == ["Jicofo is not connected to 'v2', so it sends nobody there."]


def test_failures_of_the_acceptance_suite_are_sentences() -> None:
    assert list(parse_failures(JUNIT)) == [
        "The acceptance test 'a thing[v1]' fails: AssertionError: nobody came",
        "The acceptance test 'broken' fails: There is no lab 'x'.",
    ]


def test_answers_are_read_from_lines() -> None:
    assert parse_answers("# a = 1\nb = 2 = 3\nnothing\n Moved To = 'x'\n") == {
        "b": "2 = 3",
        "moved to": "x",
    }


def test_a_stanza_is_not_told_to_a_student() -> None:
    assert shortened("It failed. Last frame: <iq/>") == "It failed."


@pytest.mark.parametrize(("given", "tried"), [({}, 1), ({"sound": False}, 0)])
def test_sound_is_tried_only_where_nothing_else_is_wrong(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch, given: dict[str, bool], tried: int
) -> None:
    heard: list[str] = []

    def silence(lab: Lab, **_: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
        heard.append("tried")
        return (("No media.", ("A rule drops it.",)),)

    monkeypatch.setattr(health, "gather", lambda lab, **_: healthy())
    monkeypatch.setattr(health, "try_media", silence)
    wanted = CheckContext(context.lab, context.exercise, silent, given=given)
    said = list(health.check_health(wanted))
    assert (len(heard), said) == (tried, ["No media. A rule drops it."] * tried)
    monkeypatch.setattr(
        health, "gather", lambda lab, **_: healthy(jms=state("jms", connections=""))
    )
    heard.clear()
    assert list(health.check_health(wanted)) == ["vnodes: not registered: v1, v2."]
    assert heard == []
