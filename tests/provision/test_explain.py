"""What a script printed becomes a sentence and the lines that matter."""

import pytest

from provision.explain import explain


@pytest.mark.parametrize(
    ("lines", "message", "detail"),
    [
        pytest.param(
            ["said\tstart\tJob failed", "inactive\tx.service\tfailed", "log\tx.service\tbad key"],
            "Unit 'x.service' is failed.",
            ("Job failed", "bad key"),
            id="unit",
        ),
        pytest.param(
            ["wait", "closed\tx.service\t5222\t-"],
            "Port 5222 of 'x.service' is not open.",
            (),
            id="port",
        ),
        pytest.param(
            ["closed\tx.service\t80\tnc (unit -)"],
            "Port 80 of 'x.service' is held by nc (unit -).",
            (),
            id="held",
        ),
        pytest.param(
            ["refused\tx.service\treload"],
            "systemctl cannot reload 'x.service'.",
            (),
            id="refused",
        ),
        pytest.param(
            ["no such key", "failed\tupdate-x\texit status 3"],
            "'update-x' failed: exit status 3.",
            ("no such key",),
            id="command",
        ),
        pytest.param(["disk full"], "It failed.", ("disk full",), id="unknown"),
        pytest.param(
            ["wait"], "The connection was lost, or no answer came in time.", (), id="lost"
        ),
    ],
)
def test_explain(lines: list[str], message: str, detail: tuple[str, ...]) -> None:
    problem = explain("jms", "stage 1", lines)
    assert (problem.reason, problem.detail) == (message, detail)
