"""`node/units.sh`, run for real between programs that pretend to be systemd and the kernel."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from provision.facts import script

pytestmark = pytest.mark.programs

DATA = "restart\tx.service\nunit\tx.service\nport\t8080\tx.service\ndeadline\t{seconds}\n"
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue\n"
LISTENS = "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000\n"
CONNECTED = "   0: 0100007F:1F90 0100007F:D431 01 00000000:00000000\n"
SOCKET = "LISTEN 0 511 0.0.0.0:8080 0.0.0.0:* ino:1 sk:1 cgroup:/system.slice/{unit} <->\n"
CALLS = 'printf "%s\\n" "$(basename "$0") $*" >>"$DIR/calls"\n'
SYSTEMCTL = """case $1 in
is-active) cat "$DIR/state";;
restart) [ ! -e "$DIR/refuses" ] || { echo "Job for x.service failed."; exit 1; };;
show) [ ! -e "$DIR/restarts" ] || printf 'Id=x.service\nNRestarts=%s\n' "$(cat "$DIR/restarts")";;
status) echo "    Active: failed (Result: exit-code)";;
esac
"""


@dataclass
class Machine:
    """Where the pretended programs find what they say, and what they were asked."""

    folder: Path

    def put(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def calls(self, program: str) -> list[str]:
        lines = (self.folder / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(program)]

    def run(self, *, seconds: int = 30) -> subprocess.CompletedProcess[str]:
        text = script("units").text.replace("/var/lib/labctl", f"{self.folder}/state.d")
        text = text.replace("/proc/net/tcp6", f"{self.folder}/tcp6")
        text = text.replace("/proc/net/tcp", f"{self.folder}/tcp")
        path = f"{self.folder / 'bin'}:{os.environ['PATH']}"
        return subprocess.run(
            ["/bin/sh", "-c", text],
            input=DATA.format(seconds=seconds),
            env={**os.environ, "PATH": path, "DIR": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A unit that is active and listens."""
    programs = {
        "systemctl": SYSTEMCTL,
        "ss": 'cat "$DIR/sockets"',
        "journalctl": "echo it broke",
        "sleep": '[ ! -e "$DIR/then" ] || . "$DIR/then"; exec /bin/sleep 0.01',
    }
    (tmp_path / "bin").mkdir()
    for name, body in programs.items():
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\n{CALLS}{body}\n")
        path.chmod(0o755)
    found = Machine(tmp_path)
    found.put("state", "active\n")
    found.put("tcp", HEADER + LISTENS)
    found.put("tcp6", HEADER)
    found.put("sockets", SOCKET.format(unit="x.service"))
    return found


def test_what_is_there_is_not_waited_for(machine: Machine) -> None:
    done = machine.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert machine.calls("systemctl restart") == ["systemctl restart -- x.service"]
    assert machine.calls("sleep") == []


@pytest.mark.parametrize("table", ["tcp", "tcp6"])
def test_a_port_is_waited_for_without_looking_at_everything(machine: Machine, table: str) -> None:
    machine.put("tcp", HEADER + CONNECTED)
    machine.put("sockets", "")
    machine.put("later", HEADER + LISTENS)
    machine.put("later-sockets", SOCKET.format(unit="x.service"))
    machine.put(
        "then",
        '[ "$(grep -c "^sleep" "$DIR/calls")" -lt 5 ] || {'
        f' cp "$DIR/later" "$DIR/{table}"; cp "$DIR/later-sockets" "$DIR/sockets"; }}',
    )
    done = machine.run()
    assert (done.returncode, done.stdout) == (0, "wait\n")
    assert len(machine.calls("sleep")) == 5
    # At the beginning and at the end; in between only the kernel's table was read.
    assert len(machine.calls("ss")) == 2


def test_a_port_that_never_opens_is_named(machine: Machine) -> None:
    machine.put("tcp", HEADER)
    machine.put("sockets", "")
    done = machine.run(seconds=0)
    assert done.returncode == 1
    assert "closed\tx.service\t8080\t-" in done.stdout.splitlines()
    assert "log\tx.service\tit broke" in done.stdout.splitlines()


def test_a_port_of_somebody_else_is_not_the_units(machine: Machine) -> None:
    machine.put("sockets", SOCKET.format(unit="other.service"))
    done = machine.run(seconds=0)
    assert done.returncode == 1
    assert "closed\tx.service\t8080\tan unknown process (unit other.service)" in done.stdout


def test_a_unit_that_fails_while_it_is_waited_for_ends_the_wait(machine: Machine) -> None:
    machine.put("tcp", HEADER)
    machine.put("sockets", "")
    machine.put("state", "activating\n")
    machine.put("then", 'echo failed >"$DIR/state"')
    done = machine.run()
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert "inactive\tx.service\tfailed" in lines
    # Its closed port is no news then.
    assert not [line for line in lines if line.startswith("closed")]
    assert len(machine.calls("sleep")) == 10


def test_a_unit_that_ends_again_and_again_ends_the_wait(machine: Machine) -> None:
    machine.put("tcp", HEADER)
    machine.put("sockets", "")
    machine.put("state", "activating\n")
    machine.put("restarts", "7\n")
    machine.put("then", 'echo $((7 + $(grep -c "^sleep" "$DIR/calls") / 15)) >"$DIR/restarts"')
    done = machine.run()
    assert done.returncode == 1
    # Those from before do not count: the third new one is seen at the next full look.
    assert "looping\tx.service\t3" in done.stdout.splitlines()
    assert "inactive\tx.service\tactivating" in done.stdout.splitlines()
    assert len(machine.calls("sleep")) == 50


def test_a_unit_that_ended_before_is_waited_for(machine: Machine) -> None:
    machine.put("tcp", HEADER)
    machine.put("restarts", "7\n")
    machine.put("later", HEADER + LISTENS)
    machine.put(
        "then", '[ "$(grep -c "^sleep" "$DIR/calls")" -lt 30 ] || cp "$DIR/later" "$DIR/tcp"'
    )
    done = machine.run()
    assert (done.returncode, done.stderr) == (0, "")


def test_a_unit_that_systemd_refuses_is_told_at_once(machine: Machine) -> None:
    machine.put("refuses", "")
    done = machine.run()
    assert done.returncode == 1
    assert "said\trestart\tJob for x.service failed." in done.stdout
    assert "refused\tx.service\trestart" in done.stdout
    assert machine.calls("sleep") == []
