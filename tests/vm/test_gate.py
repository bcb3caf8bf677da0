"""What the boot gate lets through, and what not."""

from __future__ import annotations

from contextlib import nullcontext
from typing import ClassVar

import pytest

from labctl.errors import LabError
from labctl.model import Role
from labctl.process import Result
from labctl.vm.accel import Accelerator
from labctl.vm.gate import UNITS, check_boots, judge
from labctl.vm.guest import Guest

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


class Fake(Guest):
    """A machine that answers with these lines."""

    lines: ClassVar[list[str]] = []

    def run(self, script: str, *, timeout: float = 0.0, check: bool = True) -> Result:
        return Result((), 0, "\n".join(self.lines))


def test_everything_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = nullcontext(Fake("gate-jvb", (), 31.26))
    tcg = Accelerator("tcg", "")
    monkeypatch.setattr(Fake, "lines", GOOD)
    passed = check_boots(machine, Role.JVB, accelerator=tcg, hardware="virtio")
    assert (passed.boot_seconds, passed.accelerator) == (31.3, "software emulation")
    monkeypatch.setattr(Fake, "lines", ["state degraded", "failed ssh.service", *GOOD[1:]])
    with pytest.raises(LabError) as caught:
        check_boots(machine, Role.JVB, accelerator=tcg, hardware="virtio")
    assert caught.value.message == (
        "The image of 'jvb' boots, but is not right:\n"
        "    unit 'ssh.service' failed\n"
        "    systemd says 'degraded', not 'running'"
    )


def test_every_role_has_units() -> None:
    assert set(UNITS) == set(Role)
    assert all("nftables" in units for units in UNITS.values())
