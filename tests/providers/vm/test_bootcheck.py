"""What the boot check lets through, and what not."""

from __future__ import annotations

from contextlib import nullcontext
from typing import ClassVar

import pytest

from labctl.core.errors import LabError
from labctl.core.process import Result
from labctl.providers.vm.accel import Accelerator
from labctl.providers.vm.bootcheck import check_boots, find_problems
from labctl.providers.vm.guest import Guest
from labctl.topology.roles import image_units, rows
from labctl.topology.spec import Role

GOOD = [
    "state running",
    "unit jitsi-videobridge2 loaded inactive disabled",
    "unit nftables loaded inactive disabled",
    "name boot-jvb",
    "id 0123456789abcdef0123456789abcdef",
    "address 1",
]


def judged(lines: list[str]) -> list[str]:
    return find_problems(lines, role=Role.JVB, name="boot-jvb")


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
            "unit 'jitsi-videobridge2' is active and enabled, but must not start yet",
        ),
        (3, "name localhost", "its name is 'localhost', but its seed says 'boot-jvb'"),
        (4, "id ", "it made no machine id for itself"),
        (5, "address 0", "eth0 has no address"),
    ],
)
def test_bad_machines(line: int, instead: str, said: str) -> None:
    assert said in judged([*GOOD[:line], instead, *GOOD[line + 1 :]])


def test_a_machine_that_says_nothing_is_wrong_in_every_respect() -> None:
    assert len(judged([])) == 4 + len(image_units(Role.JVB))


class Fake(Guest):
    """A machine that answers with these lines."""

    lines: ClassVar[list[str]] = []

    def run(self, script: str, *, timeout: float = 0.0, check: bool = True) -> Result:
        return Result((), 0, "\n".join(self.lines))


def test_everything_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = nullcontext(Fake("boot-jvb", (), 31.26))
    tcg = Accelerator("tcg", "")
    monkeypatch.setattr(Fake, "lines", GOOD)
    passed = check_boots(machine, Role.JVB, accelerator=tcg, hardware="virtio")
    assert (passed.boot_seconds, passed.accelerator) == (31.3, "software emulation")
    monkeypatch.setattr(Fake, "lines", ["state degraded", "failed ssh.service", *GOOD[1:]])
    with pytest.raises(LabError) as caught:
        check_boots(machine, Role.JVB, accelerator=tcg, hardware="virtio")
    assert caught.value.message == (
        "The image of 'jvb' boots, but has problems:\n"
        "    unit 'ssh.service' failed\n"
        "    systemd says 'degraded', not 'running'"
    )


def test_every_role_has_units() -> None:
    assert {row.role for row in rows()} == set(Role)
    assert all("nftables" in image_units(row.role) for row in rows())
