"""ssh with the lab's own configuration; the user's configuration is not used.

Commands on nodes go through `labctl.node.reach`; this module has what that needs, and the shell.
One master connection per node is kept for a minute, so that later commands take milliseconds.
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

from labctl.core.errors import LabError
from labctl.core.files import write_file
from labctl.core.process import exec_over, run
from labctl.core.progress import Progress, silent
from labctl.core.waiting import Deadline, Patience, wait_until
from labctl.node.keys import USER_KEY
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.workdir import Workdir

USER = "vagrant"
PORT = 22
KNOCK_SECONDS = 2.0
MOST_BASE = 40
"""The longest path, in characters, of a folder in which sockets can be."""

RETRY_SECONDS = 0.1
"""The pause between two connection attempts; what is waited for is the ssh banner."""


def control_dir(workdir: Workdir) -> Path:
    """The folder with the sockets of the master connections.

    It is outside the lab's folder, because a Unix socket's path has at most about 104 characters,
    of which ssh needs 17 for itself while it makes one.
    """
    named = (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir())
    fit = [Path(one) for one in named if one and Path(one).is_dir() and len(one) <= MOST_BASE]
    base = fit[0] if fit else Path("/tmp")
    mark = sha256(str(workdir.path.resolve()).encode()).hexdigest()[:8]
    return base / f"labctl-{os.getuid()}-{mark}"


def render_config(lab: Lab) -> str:
    """The ssh_config of a lab: every node by name and by address."""
    nodes = "".join(_node(node, node.name) for node in lab.topology.nodes)
    return f"{nodes}Host *\n{_settings(lab)}"


def render_hosts(lab: Lab) -> str:
    """What the user's own ssh_config may include: nodes as `NODE.LAB`, and nothing for others."""
    named = [(node, f"{node.name}.{lab.topology.lab}") for node in lab.topology.nodes]
    nodes = "".join(_node(node, name) for node, name in named)
    all_names = " ".join(f"{name} {node.address}" for node, name in named)
    return f"{nodes}Host {all_names}\n{_settings(lab)}"


def include_line(workdir: Workdir) -> str:
    """The line of an ssh_config with which ssh knows the nodes of all labs of the project."""
    pattern = workdir.path.parent.resolve() / "*" / "ssh" / workdir.ssh_hosts.name
    return f"Include {quoted(pattern)}"


def _node(node: Node, name: str) -> str:
    return f"Host {name} {node.address}\n  HostName {node.address}\n  HostKeyAlias {node.name}\n"


def _settings(lab: Lab) -> str:
    folder = lab.folder.ssh.resolve()
    return (
        f"  User {USER}\n"
        f"  Port {PORT}\n"
        f"  IdentityFile {quoted(folder / USER_KEY)}\n"
        "  IdentitiesOnly yes\n"
        "  IdentityAgent none\n"
        "  ForwardAgent no\n"
        "  PasswordAuthentication no\n"
        f"  UserKnownHostsFile {quoted(folder / 'known_hosts')}\n"
        "  GlobalKnownHostsFile none\n"
        "  StrictHostKeyChecking yes\n"
        "  UpdateHostKeys no\n"
        "  ControlMaster auto\n"
        f'  ControlPath {quoted(control_dir(lab.folder))[:-1]}/%h"\n'
        "  ControlPersist 60\n"
        f"  ConnectTimeout {lab.patience.whole(5)}\n"
        "  ServerAliveInterval 5\n"
        "  ServerAliveCountMax 3\n"
        "  LogLevel ERROR\n"
    )


def quoted(path: Path) -> str:
    """A path as ssh_config has it: quoted, without ssh's own words for parts of paths.

    Errors: LabError for a path that ssh cannot be given: it takes '${' for a variable.
    """
    text = str(path)
    if "${" in text or "\n" in text:
        raise LabError(
            f"ssh cannot use the path '{text}': it has '${{' or a line break in it.",
            hint="Move the project to another folder.",
        )
    for mark, written in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        text = text.replace(mark, written)
    return f'"{text}"'


def ensure_config(lab: Lab) -> None:
    """Write `ssh/config` and `ssh/hosts`, and make the folder of the sockets, private to this user.

    Errors: LabError if that folder belongs to somebody else.
    """
    folder = control_dir(lab.folder)
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise LabError(
            f"'{folder}' is not a private folder of this user.",
            hint=f"Check who made it and remove it, or set XDG_RUNTIME_DIR (user {os.getuid()}).",
        )
    write_file(lab.folder.ssh_config, render_config(lab), mode=0o600)
    write_file(lab.folder.ssh_hosts, render_hosts(lab), mode=0o600)


def open_shell(workdir: Workdir, node: str, *, command: Sequence[str] = ()) -> None:
    """Replace this process by an ssh session on a node, interactive unless `command` is given."""
    words: list[str | Path] = ["ssh", "-F", workdir.ssh_config, node]
    exec_over([*words, "--", shlex.join(command)] if command else words)


def close_masters(workdir: Workdir) -> None:
    """End the master connections of the lab and remove the folder of their sockets."""
    folder = control_dir(workdir)
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        run(
            ["ssh", "-o", f"ControlPath={quoted(entry)}", "-O", "exit", "node"],
            timeout=5,
            check=False,
        )
        entry.unlink(missing_ok=True)
    folder.rmdir()


def wait_ssh(
    nodes: Iterable[Node], *, seconds: float, patience: Patience, progress: Progress = silent
) -> None:
    """Wait until sshd greets on every node; progress names those that take long.

    Errors: LabError that names each silent node with what was last seen.
    """
    nodes, deadline = tuple(nodes), patience.deadline(seconds)
    knock = patience.scaled(KNOCK_SECONDS)

    def wait(node: Node) -> str:
        def waiting() -> None:
            progress("machines", "waiting for ssh", node=node.name)

        return _wait_banner(node.address, deadline, knock=knock, on_silence=waiting)

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
            hint="Check the node's console or container log.",
        )


def _wait_banner(
    address: IPv4Address, deadline: Deadline, *, knock: float, on_silence: Callable[[], None]
) -> str:
    """Empty once sshd has greeted; else what was last seen when the deadline passed.

    Each attempt takes at most `knock` seconds.  `on_silence` is called once if the first attempt
    is not answered.
    """
    last: str | None = None

    def greeted() -> bool:
        nonlocal last
        first, last = last is None, _knock(address, timeout=knock)
        if first and last:
            on_silence()
        return not last

    wait_until(greeted, deadline=deadline, interval=RETRY_SECONDS)
    return last or ""


def _knock(address: IPv4Address, *, timeout: float) -> str:
    """Empty if sshd greets, else what happened."""
    try:
        with socket.create_connection((str(address), PORT), timeout=timeout) as link:
            greeting = link.recv(64)
    except OSError as error:
        return str(error)
    return "" if greeting.startswith(b"SSH-") else f"greeted with {greeting!r}"
