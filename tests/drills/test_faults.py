"""The scripts of faults and their undos."""

from __future__ import annotations

import os
import shutil
import subprocess
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from labctl.core.waiting import NO_PATIENCE
from labctl.drills.answering import render_wait_health
from labctl.drills.faults import (
    ClockOff,
    CutPorts,
    DropMedia,
    Fault,
    FillLogDisk,
    Hang,
    Kill,
    Lose,
    Partition,
    Restart,
    Slow,
    Spot,
    Squeeze,
    Start,
    Stop,
    Undo,
    Way,
    WrongAddress,
    describe,
)
from labctl.drills.scripts import CONFIG, render_fault, render_undo

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
    DropMedia(),
    Lose(5),
    Lose(20),
    WrongAddress(),
    Slow(),
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
    """Every rule that drops spares loopback and the host's ssh, or nobody could undo it."""
    script = render_fault(Partition(way), SPOT, host=HOST)
    drops = [line.strip() for line in script.splitlines() if line.strip().endswith("drop")]
    assert len(drops) == (6 if way is Way.BOTH else 3)
    ssh = ("tcp dport != 22 drop", "tcp sport != 22 drop", "meta l4proto != tcp drop")
    for rule in drops:
        assert f"!= {HOST} drop" in rule or (f" {HOST} " in rule and rule.endswith(ssh))
        assert 'ifname != "lo"' in rule


def test_a_partition_cuts_off_the_participants_on_this_machine() -> None:
    """They are on the host, whose ssh is spared: their media must not be."""
    rules = render_fault(Partition(Way.BOTH), SPOT, host=HOST)
    assert f"ip saddr {HOST} meta l4proto != tcp drop" in rules
    assert f"ip daddr {HOST} meta l4proto != tcp drop" in rules


def rules_of(script: str) -> str:
    """The ruleset that a fault's script hands to nft."""
    return script.partition("<<'RULES'\n")[2].rpartition("\nRULES")[0]


NFT = [*map(Partition, Way), CutPorts(), DropMedia(), Lose(20)]


@pytest.mark.parametrize("fault", NFT, ids=str)
def test_a_ruleset_replaces_the_last_and_closes_what_it_opens(fault: Fault) -> None:
    rules = rules_of(render_fault(fault, SPOT, host=HOST))
    assert rules.splitlines()[:3] == [
        "table inet labctl_drill",
        "delete table inet labctl_drill",
        "table inet labctl_drill {",
    ]
    depth = 0
    for line in rules.splitlines():
        words = line.split()
        assert words[0] != "chain" or depth == 1, f"a chain inside of a chain:\n{rules}"
        assert words[-1] != "drop" or depth == 2, f"a rule outside of a chain:\n{rules}"
        # A set of ports opens and closes in its own line.
        depth += words.count("{") - words.count("}")
    assert depth == 0, rules


def test_loss_is_by_chance_and_on_the_way_to_the_bridge() -> None:
    rules = rules_of(render_fault(Lose(5), SPOT, host=HOST))
    assert "udp dport 10000 numgen random mod 100 < 5 drop" in rules
    assert "sport" not in rules


def test_a_closed_media_port_is_closed_both_ways_and_nothing_else_is() -> None:
    rules = rules_of(render_fault(DropMedia(), SPOT, host=HOST))
    drops = {line.strip() for line in rules.splitlines() if line.strip().endswith("drop")}
    assert drops == {"udp dport 10000 drop", "udp sport 10000 drop"}


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


def shell(script: str, folder: Path) -> str:
    """What a script did, in a folder where systemctl and ip only tell that they were called."""
    for name, words in {
        "systemctl": "echo systemctl $*",
        "ip": "echo ' src 10.77.0.106 uid'",
    }.items():
        program = folder / name
        program.write_text(f"#!/bin/sh\n{words}\n")
        program.chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-ec", script], capture_output=True, text=True, env={"PATH": path}, check=True
    )
    return done.stdout


@pytest.mark.programs
def test_a_wrong_address_is_written_after_the_rest_and_taken_back_without_a_trace(
    tmp_path: Path,
) -> None:
    conf = tmp_path / "jvb.conf"
    conf.write_text("videobridge { health.interval = 5 }\n")
    made = render_fault(WrongAddress(), SPOT, host=HOST).replace(CONFIG, str(conf))
    unmade = render_undo(WrongAddress(), SPOT).replace(CONFIG, str(conf))
    assert "restart" in shell(made, tmp_path)
    text = conf.read_text()
    assert text.startswith("videobridge { health.interval = 5 }\n")
    assert '{ local-address = "10.77.0.106", public-address = "127.0.0.2" }' in text
    shell(made, tmp_path)
    assert "restart" in shell(unmade, tmp_path)
    assert conf.read_text() == "videobridge { health.interval = 5 }\n"
    assert "restart" not in shell(unmade, tmp_path), "an undo may run twice"


def test_an_address_that_nobody_can_reach_is_one_of_this_machines_own() -> None:
    """Participants send there: it must never be somebody's network."""
    assert IPv4Address(WrongAddress().address).is_loopback


def test_jicofo_is_restarted_although_systemd_takes_it_for_active() -> None:
    """Its init script leaves an active unit without a process: a start would do nothing."""
    undo = render_undo(Kill(comes_back=True), Spot("jms", "jicofo.service", "jicofo"))
    assert "!= exited ] || systemctl restart jicofo.service" in undo


@pytest.mark.programs
def test_a_bridge_that_does_not_run_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "systemctl").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    script = render_wait_health(NO_PATIENCE)
    assert subprocess.run(["sh", "-ec", script], env=env, timeout=20).returncode == 0


@pytest.mark.programs
def test_a_bridge_that_runs_and_never_answers_is_an_error(tmp_path: Path) -> None:
    for name, words in {"systemctl": "exit 0", "curl": "exit 7", "sleep": "exit 0"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / name).chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-ec", render_wait_health(NO_PATIENCE, seconds=1)], env=env, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "/about/health does not answer" in done.stderr
