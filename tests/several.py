"""Several machines on one: network namespaces, each with a Docker engine and an sshd of its own.

They are joined by a bridge in a namespace of its own, by a swarm, and by ssh, as machines would be;
VXLAN is the kernel's.  labctl runs in the first, `control`.  Files, processes and control groups
are this machine's: a namespace has its own network only.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NETWORK = "10.173.73"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
SBIN = "/usr/sbin:/sbin:/usr/local/sbin"


def run(*words: object, timeout: float = 120.0, check: bool = True, stdin: str = "") -> str:
    """What a program prints."""
    argv = [str(word) for word in words]
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


@dataclass
class Machine:
    """One of them: its namespace, its address, its engine's socket and its processes."""

    name: str
    folder: Path
    space: str
    address: str
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def socket(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    @property
    def ssh(self) -> str:
        """The machine as lab.conf names it."""
        return f"ssh://root@{self.address}"

    def inside(self, *words: object) -> list[str]:
        # Not `ip netns exec`, which mounts another /sys, without control groups.
        return ["nsenter", f"--net=/run/netns/{self.space}", *map(str, words)]

    def docker(self, *words: object, check: bool = True, timeout: float = 120.0) -> str:
        argv = self.inside("docker", "-H", self.socket, *words)
        return run(*argv, check=check, timeout=timeout)

    def spawn(self, *words: object, log: str) -> None:
        with (self.folder / log).open("ab") as sink:
            self.children.append(
                subprocess.Popen(
                    self.inside(*words),
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )


@dataclass
class Machines:
    """All of them; the first is the one on which labctl runs."""

    folder: Path
    switch: str
    all: list[Machine]

    @property
    def control(self) -> Machine:
        return self.all[0]

    def labctl(
        self, *words: str, timeout: float = 900.0, env: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        """labctl on the first machine, with this checkout's labs."""
        return subprocess.run(
            self._words(words),
            cwd=ROOT,
            env={**self._environ(), **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The same, while it goes on: what it says comes as one stream."""
        return subprocess.Popen(
            self._words(words),
            cwd=ROOT,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _words(self, words: Sequence[str]) -> list[str]:
        return self.control.inside(sys.executable, "-m", "labctl", *words)

    def _environ(self) -> dict[str, str]:
        """With it Docker's client takes the tests' own ssh."""
        path = f"{self.folder}/bin:{os.environ['PATH']}:{SBIN}"
        return {**os.environ, "DOCKER_HOST": self.control.socket, "PATH": path}

    def cut(self, machine: Machine) -> None:
        """Take a machine off the network, as if its cable were drawn."""
        run("ip", "-n", self.switch, "link", "set", f"to-{machine.name}", "down")

    def heal(self, machine: Machine) -> None:
        run("ip", "-n", self.switch, "link", "set", f"to-{machine.name}", "up")


@contextmanager
def several(*names: str) -> Iterator[Machines]:
    """So many machines, joined; the first is named 'control'."""
    folder = Path(tempfile.mkdtemp(prefix="lsev-", dir="/var/tmp"))
    mark = f"lsev{os.getpid()}"
    machines = Machines(folder, f"{mark}-switch", [])
    try:
        run("ip", "netns", "add", machines.switch)
        run("ip", "-n", machines.switch, "link", "add", "switch", "type", "bridge")
        run("ip", "-n", machines.switch, "link", "set", "switch", "up")
        for number, name in enumerate(("control", *names), 11):
            machine = Machine(name, folder / name, f"{mark}-{name}", f"{NETWORK}.{number}")
            machine.folder.mkdir()
            machines.all.append(machine)
            _join(machine, machines.switch)
        _make_ssh(machines)
        for machine in machines.all:
            _start_engine(machine)
            _start_sshd(machine, folder)
        for machine in machines.all:
            _wait_engine(machine)
        _make_swarm(machines)
        yield machines
    finally:
        _remove(machines)


def _join(machine: Machine, switch: str) -> None:
    port = f"to-{machine.name}"
    run("ip", "netns", "add", machine.space)
    run("ip", "-n", switch, "link", "add", port, "type", "veth", "peer", "name", "eth0",
        "netns", machine.space)  # fmt: skip
    run("ip", "-n", switch, "link", "set", port, "master", "switch", "up")
    run("ip", "-n", machine.space, "link", "set", "lo", "up")
    run("ip", "-n", machine.space, "address", "add", f"{machine.address}/24", "dev", "eth0")
    run("ip", "-n", machine.space, "link", "set", "eth0", "up")


def _start_engine(machine: Machine) -> None:
    # Not this machine's own settings.
    (machine.folder / "daemon.json").write_text("{}\n")
    machine.spawn(
        "dockerd",
        *("--data-root", machine.folder / "data", "--exec-root", machine.folder / "exec"),
        *("--pidfile", machine.folder / "docker.pid", "--host", machine.socket),
        *("--config-file", machine.folder / "daemon.json"),
        log="dockerd.log",
    )


def _wait_engine(machine: Machine) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with suppress(RuntimeError, subprocess.TimeoutExpired):
            if machine.docker("version", "--format", "{{.Server.Version}}", timeout=10).strip():
                return
        time.sleep(0.25)
    log = (machine.folder / "dockerd.log").read_text(errors="replace")
    raise RuntimeError(f"the engine of '{machine.name}' does not answer:\n{log[-3000:]}")


def _make_swarm(machines: Machines) -> None:
    control, *others = machines.all
    control.docker("swarm", "init", "--advertise-addr", control.address)
    token = control.docker("swarm", "join-token", "--quiet", "worker").strip()
    for machine in others:
        machine.docker(
            *("swarm", "join", "--token", token, "--advertise-addr", machine.address),
            f"{control.address}:2377",
        )


def _make_ssh(machines: Machines) -> None:
    """Keys of the tests, known hosts, and an `ssh` that uses them."""
    folder = machines.folder
    for key in ("user", "host"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / f"{key}_key")
    public = (folder / "host_key.pub").read_text()
    known = "".join(f"{machine.address} {public}" for machine in machines.all)
    (folder / "known_hosts").write_text(known)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder}/user_key\nIdentitiesOnly yes\nBatchMode yes\n"
        f"UserKnownHostsFile {folder}/known_hosts\nStrictHostKeyChecking yes\nConnectTimeout 5\n"
    )
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / "ssh"
    # If somebody else names a configuration, theirs is the last and wins.
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
    wrapper.chmod(0o755)


def _start_sshd(machine: Machine, folder: Path) -> None:
    Path("/run/sshd").mkdir(exist_ok=True)
    # Who comes by ssh finds the engine of this machine, not the one that all of them see in /run.
    (machine.folder / "sshd_config").write_text(
        f"ListenAddress {machine.address}\nHostKey {folder}/host_key\nPidFile none\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nUsePAM no\n"
        f"PermitRootLogin prohibit-password\nPasswordAuthentication no\nMaxStartups 100\n"
        f"SetEnv DOCKER_HOST={machine.socket}\n"
    )
    sshd = shutil.which("sshd", path=SBIN)
    machine.spawn(sshd, "-D", "-e", "-f", machine.folder / "sshd_config", log="sshd.log")


def _remove(machines: Machines) -> None:
    for machine in machines.all:
        with suppress(RuntimeError, subprocess.TimeoutExpired):
            ids = machine.docker("ps", "--all", "--quiet", timeout=30).split()
            if ids:
                machine.docker("rm", "--force", "--volumes", *ids, timeout=60)
    children = [child for machine in machines.all for child in machine.children]
    for kind in (signal.SIGTERM, signal.SIGKILL):
        for child in children:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, kind)
        _wait_children(children)
    for space in (*(machine.space for machine in machines.all), machines.switch):
        run("ip", "netns", "del", space, check=False)
    for point in sorted(_mounts_below(machines.folder), reverse=True):
        run("umount", "--lazy", point, check=False)
    shutil.rmtree(machines.folder, ignore_errors=True)


def _wait_children(children: Sequence[subprocess.Popen[bytes]]) -> None:
    end = time.monotonic() + STOP_SECONDS
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=max(0.1, end - time.monotonic()))


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    points = [line.split()[1] for line in lines]
    return [point for point in points if point.startswith(f"{folder}/")]
