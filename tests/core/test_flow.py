"""A program gets input, and one that does not take it hangs nobody."""

from __future__ import annotations

import sys

import pytest

from labctl.core.flow import Flow
from labctl.core.process import ProcessError

pytestmark = pytest.mark.programs
LARGE = b"x" * 1_000_000


def test_all_of_the_input_comes() -> None:
    flow = Flow([sys.executable, "-c", "import sys; print(len(sys.stdin.buffer.read()))"])
    flow.write(LARGE, seconds=20)
    flow.finish()
    assert flow.read(100) == b"1000000\n"
    assert flow.end()[0] == 0


def test_a_program_that_takes_nothing_is_told() -> None:
    flow = Flow(["sleep", "60"])
    with pytest.raises(ProcessError, match="did not take its input"):
        flow.write(LARGE, seconds=0.2)
    flow.end(grace=0.1)


def test_a_program_that_has_ended_is_told() -> None:
    flow = Flow(["true"])
    flow.read(1)
    with pytest.raises(ProcessError, match="has ended before"):
        flow.write(LARGE, seconds=20)
    flow.end()


def test_a_program_gets_an_environment_besides_this_ones() -> None:
    flow = Flow(["sh", "-c", 'echo "$WHERE${PATH:+ and here}"'], env={"WHERE": "there"})
    assert list(flow.lines()) == [b"there and here\n"]
    assert flow.end()[0] == 0


def test_a_program_that_goes_on_is_stopped() -> None:
    flow = Flow(["sleep", "60"])
    flow.stop()
    assert list(flow.lines()) == [] and flow.end()[0] < 0
