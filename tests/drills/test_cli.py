"""The verbs `drill` and `blip`, as far as they need no lab."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from labctl.cli.blip import blip_command
from labctl.cli.drill import drill_command
from labctl.core.errors import LabError, UsageError
from labctl.drills import DRILLS


def test_the_list_names_every_drill_and_its_weakness() -> None:
    done = CliRunner().invoke(drill_command, ["list"])
    assert done.exit_code == 0
    for drill in DRILLS:
        assert drill.name in done.output
        assert drill.weakness is None or drill.weakness in done.output


def test_the_list_is_plain_data_too() -> None:
    done = CliRunner().invoke(drill_command, ["list", "--json"])
    assert [each["name"] for each in json.loads(done.output)] == [drill.name for drill in DRILLS]


def test_an_unknown_drill_is_a_usage_error_before_anything_happens() -> None:
    done = CliRunner().invoke(drill_command, ["run", "bridge-stp", "--lab", "no-such-lab"])
    assert isinstance(done.exception, UsageError)


@pytest.mark.parametrize(
    "command",
    [(drill_command, ["run"]), (blip_command, [])],
    ids=["drill", "blip"],
)
def test_without_a_lab_there_is_a_sentence(command: tuple) -> None:  # type: ignore[type-arg]
    verb, words = command
    done = CliRunner().invoke(verb, [*words, "--lab", "no-such-lab"])
    assert isinstance(done.exception, LabError)
    assert "no lab 'no-such-lab'" in done.exception.message


def test_people_must_be_enough_for_the_calls() -> None:
    done = CliRunner().invoke(blip_command, ["--participants", "5", "--calls", "4"])
    assert isinstance(done.exception, UsageError)
