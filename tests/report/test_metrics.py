"""What tells curves apart."""

from __future__ import annotations

import pytest

from labctl.report.metrics import Series, names_of

STRESS = {"__name__": "jitsi_jvb_stress", "job": "bridge"}
ALERT = {"__name__": "ALERTS", "severity": "critical"}


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([STRESS], ("jitsi_jvb_stress",)),
        ([{}], ("value",)),
        (
            [
                STRESS | {"instance": "jms", "bridge": "jvb"},
                STRESS | {"instance": "a", "bridge": "b"},
            ],
            ("jvb", "b"),
        ),
        ([STRESS | {"instance": "jms"}, STRESS | {"instance": "a"}], ("jms", "a")),
        (
            [
                ALERT | {"alertname": "BridgeLost", "bridge": "jvb1"},
                ALERT | {"alertname": "VnodeLost"},
            ],
            ("BridgeLost jvb1", "VnodeLost"),
        ),
        ([{"__name__": "a"}, {"__name__": "b", "host": "x"}], ("a", "b x")),
    ],
    ids=["one", "no labels", "bridges", "nodes", "alerts", "several metrics"],
)
def test_names(labels: list[dict[str, str]], names: tuple[str, ...]) -> None:
    assert names_of([Series(each, ()) for each in labels]) == names
