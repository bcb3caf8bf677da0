"""The scripts of faults and their undos."""

from __future__ import annotations

import shutil
import subprocess
from ipaddress import IPv4Address

import pytest

from labctl.drills.faults import (
    ClockOff,
    CutPorts,
    Fault,
    FillLogDisk,
    Hang,
    Kill,
    Partition,
    Restart,
    Spot,
    Squeeze,
    Start,
    Stop,
    Undo,
    Way,
    describe,
    render_fault,
    render_undo,
)

HOST = IPv4Address("10.77.0.1")
SPOT = Spot("jvb1", "jitsi-videobridge2.service", "jvb1", ports=(5269, 52691))
FAULTS: list[Fault] = [
    Stop(),
    Start(),
    Restart(),
    Kill(comes_back=True),
    Kill(comes_back=False),
    Hang(),
    Partition(Way.BOTH),
    Partition(Way.OUT),
    Partition(Way.IN),
    CutPorts(),
    FillLogDisk(),
    ClockOff(),
    Squeeze(),
    Undo(Hang()),
]


@pytest.mark.programs
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_scripts_are_posix_shell(fault: Fault) -> None:
    shell = shutil.which("dash") or "sh"
    for script in (render_fault(fault, SPOT, host=HOST), render_undo(fault, SPOT)):
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stderr}\n{script}"


@pytest.mark.parametrize("way", Way)
def test_a_partition_never_locks_out_this_machine(way: Way) -> None:
    """Every rule that drops spares the host's address and loopback, or nobody could undo it."""
    script = render_fault(Partition(way), SPOT, host=HOST)
    drops = [line.strip() for line in script.splitlines() if line.strip().endswith("drop")]
    assert len(drops) == (2 if way is Way.BOTH else 1)
    for rule in drops:
        assert f"!= {HOST} drop" in rule
        assert 'ifname != "lo"' in rule


def test_one_way_is_one_way() -> None:
    out = render_fault(Partition(Way.OUT), SPOT, host=HOST)
    assert "oifname" in out
    assert "iifname" not in out


def test_a_cut_link_leaves_ssh_alone() -> None:
    script = render_fault(CutPorts(), SPOT, host=HOST)
    assert "{ 5269, 52691 }" in script
    assert "22" not in script


def test_a_disk_is_filled_in_a_file_system_of_its_own() -> None:
    script = render_fault(FillLogDisk(), SPOT, host=HOST)
    assert script.index("mount -t tmpfs -o size=256k") < script.index("dd ")


def test_a_kill_without_return_switches_the_restart_off_first() -> None:
    script = render_fault(Kill(comes_back=False), SPOT, host=HOST)
    assert script.index("Restart=no") < script.index("daemon-reload") < script.index("KILL")
    assert "Restart=no" not in render_fault(Kill(comes_back=True), SPOT, host=HOST)
    assert "rm -f /run/systemd" in render_undo(Kill(comes_back=True), SPOT)


def test_the_undo_of_an_undo_is_the_same_undo() -> None:
    assert render_fault(Undo(Hang()), SPOT, host=HOST) == render_undo(Hang(), SPOT)
    assert render_undo(Undo(Hang()), SPOT) == render_undo(Hang(), SPOT)


def test_every_fault_has_its_own_words() -> None:
    words = [describe(fault) for fault in FAULTS]
    assert len(set(words)) == len(words)
    assert describe(Undo(Hang())) == "end of: SIGSTOP"
