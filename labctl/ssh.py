"""ssh to the nodes with the lab's own configuration: nothing of the user's takes part.

One master connection per node is kept for a minute, so that later commands cost milliseconds.
"""

from __future__ import annotations

import os
import shlex
import socket
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from ipaddress import IPv4Address
from pathlib import Path

from labctl.errors import LabError
from labctl.model import Node, Topology
from labctl.process import ProcessError, Result, exec_over, run
from labctl.progress import Progress, silent
from labctl.sshkeys import USER_KEY
from labctl.waiting import Deadline, scaled, wait_until, whole
from labctl.workdir import Workdir, write_file

USER = "vagrant"
PORT = 22
UNREACHABLE = 255
"""Exit status that ssh keeps for its own failures; a command's own 255 looks the same."""

KNOCK_SECONDS = 2.0
RETRY_SECONDS = 0.1
"""Pause between two knocks at a port that refuses; the wait itself is for the ssh banner."""


def control_dir(workdir: Workdir) -> Path:
    """Where the sockets of the master connections live.

    Not below the lab: a Unix socket's path ends at about 104 characters.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    base = Path(runtime) if runtime and Path(runtime).is_dir() else Path(tempfile.gettempdir())
    mark = sha256(str(workdir.path.resolve()).encode()).hexdigest()[:8]
    return base / f"labctl-{os.getuid()}-{mark}"


def render_config(workdir: Workdir, topology: Topology) -> str:
    """The ssh_config of a lab: every node by name and by address."""
    folder = workdir.ssh.resolve()
    nodes = "".join(
        f"Host {node.name} {node.address}\n  HostName {node.address}\n  HostKeyAlias {node.name}\n"
        for node in topology.nodes
    )
    return nodes + (
        "Host *\n"
        f"  User {USER}\n"
        f"  Port {PORT}\n"
        f'  IdentityFile "{folder / USER_KEY}"\n'
        "  IdentitiesOnly yes\n"
        "  IdentityAgent none\n"
        "  ForwardAgent no\n"
        "  PasswordAuthentication no\n"
        f'  UserKnownHostsFile "{folder / "known_hosts"}"\n'
        "  GlobalKnownHostsFile none\n"
        "  StrictHostKeyChecking yes\n"
        "  UpdateHostKeys no\n"
        "  ControlMaster auto\n"
        f'  ControlPath "{control_dir(workdir)}/%h"\n'
        "  ControlPersist 60\n"
        f"  ConnectTimeout {whole(5)}\n"
        "  ServerAliveInterval 5\n"
        "  ServerAliveCountMax 3\n"
        "  LogLevel ERROR\n"
    )


def ensure_config(workdir: Workdir, topology: Topology) -> None:
    """Write `ssh/config` and make the folder of the sockets, private to this user.

    Errors: LabError when that folder belongs to somebody else.
    """
    folder = control_dir(workdir)
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise LabError(
            f"'{folder}' is not a private folder of this user.",
            hint=f"Look who made it, remove it, or set XDG_RUNTIME_DIR (user {os.getuid()}).",
        )
    write_file(workdir.ssh_config, render_config(workdir, topology), mode=0o600)


def run_on(
    workdir: Workdir,
    node: str,
    command: str | Sequence[str],
    *,
    sudo: bool = False,
    stdin: str | None = None,
    timeout: float | None = 60.0,
    check: bool = True,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
) -> Result:
    """Run a command on a node: text goes to its shell as it is, a list word by word.

    Errors: LabError when the node does not answer (whatever `check` says), ProcessError when
    the command fails while `check` is set or `timeout` seconds pass, scaled by the patience.
    """
    text = _shell_text(command, sudo=sudo)
    argv: list[str | Path] = ["ssh", "-F", workdir.ssh_config, "-T", node, text]
    timeout = None if timeout is None else scaled(timeout)
    result = run(argv, stdin=stdin, timeout=timeout, check=False, log=log, on_line=on_line)
    if result.code == UNREACHABLE:
        said = (result.errors or result.output).strip().splitlines()[-1:]
        raise LabError(
            f"Node '{node}' cannot be reached by ssh: {''.join(said) or 'no answer'}.",
            hint="Run 'labctl status' to see the nodes.",
            log=log,
        )
    if check and result.code != 0:
        tail = (result.errors.strip() or result.output.strip()).splitlines()[-12:]
        lines = "".join(f"\n    {line}" for line in tail)
        raise ProcessError(
            f"Node '{node}': '{text}' failed with exit status {result.code}.{lines}", log=log
        )
    return result


def open_shell(workdir: Workdir, node: str, *, command: Sequence[str] = ()) -> None:
    """Become an ssh session on a node, interactive unless `command` is given; no return."""
    words: list[str | Path] = ["ssh", "-F", workdir.ssh_config, node]
    exec_over([*words, "--", shlex.join(command)] if command else words)


def close_masters(workdir: Workdir) -> None:
    """End the master connections of the lab and remove the folder of their sockets."""
    folder = control_dir(workdir)
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        run(["ssh", "-o", f"ControlPath={entry}", "-O", "exit", "node"], timeout=5, check=False)
        entry.unlink(missing_ok=True)
    folder.rmdir()


def wait_ssh(nodes: Iterable[Node], *, deadline: Deadline, progress: Progress = silent) -> None:
    """Wait until sshd greets on every node; progress tells of those that take a while.

    Errors: LabError that names each silent node with what was last seen.
    """
    nodes = tuple(nodes)

    def wait(node: Node) -> str:
        def waiting() -> None:
            progress("machines", "waiting for ssh", node=node.name)

        return _wait_banner(node.address, deadline, on_silence=waiting)

    with ThreadPoolExecutor(max_workers=max(1, len(nodes))) as pool:
        seen = list(pool.map(wait, nodes))
    unheard = [
        f"'{node.name}' ({node.address}: {last})"
        for node, last in zip(nodes, seen, strict=True)
        if last
    ]
    if unheard:
        raise LabError(
            f"No ssh from {', '.join(unheard)}.",
            hint="Look at the node's console or container log.",
        )


def _wait_banner(
    address: IPv4Address, deadline: Deadline, *, on_silence: Callable[[], None]
) -> str:
    """Empty once sshd has greeted, else what was last seen when the deadline passed.

    `on_silence` is called once where the first knock was not answered.
    """
    last: str | None = None

    def greeted() -> bool:
        nonlocal last
        first, last = last is None, _knock(address, timeout=scaled(KNOCK_SECONDS))
        if first and last:
            on_silence()
        return not last

    wait_until(greeted, deadline=deadline, interval=RETRY_SECONDS)
    return last or ""


def _knock(address: IPv4Address, *, timeout: float) -> str:
    """Empty when sshd greets, else what happened."""
    try:
        with socket.create_connection((str(address), PORT), timeout=timeout) as link:
            greeting = link.recv(64)
    except OSError as error:
        return str(error)
    return "" if greeting.startswith(b"SSH-") else f"greeted with {greeting!r}"


def _shell_text(command: str | Sequence[str], *, sudo: bool) -> str:
    text = command if isinstance(command, str) else shlex.join(command)
    return f"sudo -n -- sh -c {shlex.quote(text)}" if sudo else text
