"""Times on the command line."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from labctl.cli.duration import Duration
from labctl.cli.gate import gate_command


@pytest.mark.parametrize(
    ("word", "seconds"), [("90s", 90.0), ("30m", 1800.0), ("1.5h", 5400.0), (" 2m ", 120.0)]
)
def test_times(word: str, seconds: float) -> None:
    assert Duration().convert(word, None, None) == seconds


@pytest.mark.parametrize("word", ["", "30", "m", "-5m", "5 minutes", "59s", "25h", "1e3s"])
def test_what_is_no_time_is_refused_with_an_example(word: str) -> None:
    with pytest.raises(click.BadParameter, match=r"write '90s'|between one minute and a day"):
        Duration().convert(word, None, None)


def test_gate_takes_the_length_of_a_leak_run() -> None:
    words = ["--candidate", "debs:/x", "--soak", "30m"]
    assert gate_command.make_context("gate", words).params["soak"] == 1800.0
    done = CliRunner().invoke(gate_command, [*words[:2], "--soak", "long"])
    assert done.exit_code == 2
    assert "'long' is not a time" in done.output
