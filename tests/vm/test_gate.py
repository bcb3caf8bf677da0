"""What the boot gate lets through, and what not."""

from __future__ import annotations

import pytest

from labctl.model import Role
from labctl.vm.gate import UNITS, judge

GOOD = [
    "state running",
    "unit jitsi-videobridge2 loaded inactive disabled",
    "unit nftables loaded inactive disabled",
    "name gate-jvb",
    "id 0123456789abcdef0123456789abcdef",
    "address 1",
]


def judged(lines: list[str]) -> list[str]:
    return judge(lines, role=Role.JVB, name="gate-jvb")


def test_a_good_machine() -> None:
    assert judged(GOOD) == []


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        (0, "state degraded", "systemd says 'degraded', not 'running'"),
        (0, "failed networking.service", "unit 'networking.service' failed"),
        (
            1,
            "unit jitsi-videobridge2 not-found inactive",
            "there is no unit 'jitsi-videobridge2'",
        ),
        (
            1,
            "unit jitsi-videobridge2 loaded active enabled",
            "unit 'jitsi-videobridge2' is active and enabled: nothing may start it yet",
        ),
        (3, "name localhost", "its name is 'localhost', but its seed says 'gate-jvb'"),
        (4, "id ", "it made no machine id for itself"),
        (5, "address 0", "eth0 has no address"),
    ],
)
def test_bad_machines(line: int, instead: str, said: str) -> None:
    assert said in judged([*GOOD[:line], instead, *GOOD[line + 1 :]])


def test_a_machine_that_says_nothing_is_wrong_in_every_respect() -> None:
    assert len(judged([])) == 4 + len(UNITS[Role.JVB])


def test_every_role_has_units() -> None:
    assert set(UNITS) == set(Role)
    assert all("nftables" in units for units in UNITS.values())
