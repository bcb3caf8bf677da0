"""What Prometheus on the monitoring node knows of a lab, asked over ssh.

Prometheus listens on its node's loopback only, so a command that runs there asks it.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from labctl.core.errors import LabError
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.report.metrics import Alert, Point, Series, Window
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.monitors import PROMETHEUS
from labctl.topology.roles import runs

[PORT] = PROMETHEUS.waited_ports
ANSWER_SECONDS = 10.0
COMMAND_SECONDS = 20.0
"""For the command that asks, ssh included."""
RECORDED = '{__name__=~"lab:.+"}'
"""What the rules compute for people (labctl/templates/monitoring/rules.yml.j2)."""
NEAR = 3


def monitoring_node(lab: Lab) -> Node:
    """The node that runs Prometheus.  Errors: LabError if the lab has none."""
    for node in lab.topology.nodes:
        if runs(node, PROMETHEUS):
            return node
    raise LabError(
        f"Lab '{lab.topology.lab}' has no monitoring.",
        hint="Run 'labctl up --monitoring', or set 'monitoring = on' in lab.conf.",
    )


def read_window(lab: Lab, expression: str, window: Window) -> tuple[Series, ...]:
    """The curves of a metric, or of any expression of PromQL, in a window.

    Errors: LabError if there are none, or if Prometheus does not understand the expression.
    """
    fields = {"start": window.began, "end": window.ended, "step": window.step}
    data = _ask(lab, "query_range", expression, fields)
    found = tuple(_series(each["metric"], each["values"]) for each in data["result"])
    if not any(series.points for series in found):
        raise _unknown(lab, expression)
    return found


def read_now(lab: Lab, expression: str) -> tuple[Series, ...]:
    """The figures of an expression at present."""
    data = _ask(lab, "query", expression, {})
    if data["resultType"] != "vector":
        return (_series({}, [data["result"]]),)
    return tuple(_series(each["metric"], [each["value"]]) for each in data["result"])


def read_alerts(lab: Lab) -> tuple[Alert, ...]:
    """The alerts that fire or are pending, those that fire first."""
    found = [_alert(each) for each in _ask(lab, "alerts", None, {})["alerts"]]
    return tuple(sorted(found, key=lambda it: (it.state != "firing", it.name, it.summary)))


def read_names(lab: Lab) -> tuple[str, ...]:
    """The names of all metrics."""
    return tuple(_ask(lab, "label/__name__/values", None, {}))


def _ask(lab: Lab, path: str, expression: str | None, fields: Mapping[str, float]) -> Any:
    """The data of an answer of Prometheus' HTTP API."""
    node = monitoring_node(lab)
    words = ["curl", "-sS", "-G", "--max-time", str(lab.patience.whole(ANSWER_SECONDS))]
    for name, value in fields.items():
        words += ["--data-urlencode", f"{name}={value:.3f}"]
    if expression is not None:
        words += ["--data-urlencode", "query@-"]
    script = ShellScript(shlex.join([*words, f"http://127.0.0.1:{PORT}/api/v1/{path}"]))
    answer = reach(lab).run(
        node.name, script, stdin=expression or "", seconds=COMMAND_SECONDS, check=False
    )
    if answer.code != 0:
        hint = f"Run 'labctl status', and 'labctl logs {node.name}'."
        said = answer.last_words
        raise LabError(f"Prometheus on node '{node.name}' does not answer: {said}.", hint=hint)
    return _data(answer.output, expression, node=node)


def _data(text: str, expression: str | None, *, node: Node) -> Any:
    try:
        answer = json.loads(text)
        if answer["status"] == "success":
            return answer["data"]
        said = str(answer["error"])
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(
            f"What Prometheus on node '{node.name}' answered cannot be read: {text[:200]!r}."
        ) from error
    raise LabError(
        f"Prometheus does not understand '{expression}': {said}.",
        hint="Give the name of a metric ('labctl metrics --names'), or an expression of PromQL.",
    )


def _series(labels: Mapping[str, str], values: list[Any]) -> Series:
    return Series(dict(labels), tuple(_points(values)))


def _points(values: list[Any]) -> Iterator[Point]:
    """The figures, without those that are no number, such as a quotient by zero."""
    for at, text in values:
        value = float(text)
        if math.isfinite(value):
            yield Point(float(at), value)


def _alert(data: Mapping[str, Any]) -> Alert:
    labels = {str(key): str(text) for key, text in data["labels"].items()}
    return Alert(
        name=labels.pop("alertname", ""),
        state=str(data["state"]),
        severity=labels.pop("severity", ""),
        summary=str(data["annotations"].get("summary", "")),
        labels=labels,
        since=str(data["activeAt"]),
    )


def _unknown(lab: Lab, expression: str) -> LabError:
    names = read_names(lab)
    if expression in names:
        return LabError(
            f"'{expression}' has no figures in this time.",
            hint="Ask for a longer time with '--minutes'.",
        )
    near = get_close_matches(expression, names, n=NEAR)
    shown = f"Near it: {', '.join(near)}. " if near else ""
    return LabError(
        f"There are no figures of '{expression}'.",
        hint=f"{shown}Run 'labctl metrics --names' to see the names of all metrics.",
    )
