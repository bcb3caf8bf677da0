"""The lab's ssh configuration and the wait for sshd."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from labctl import ssh
from labctl.errors import LabError
from labctl.layout import resolve
from labctl.model import Node, Spec
from labctl.waiting import Deadline
from labctl.workdir import Workdir

TOPOLOGY = resolve(Spec(lab="demo", jvbs=1, visitors=0))


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workdir:
    runtime = tmp_path / "run"
    runtime.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    return Workdir.of("demo", root=tmp_path / "a folder with spaces")


@pytest.mark.programs
def test_ssh_understands_the_configuration(workdir: Workdir) -> None:
    ssh.ensure_config(workdir, TOPOLOGY)
    for name in ("jvb1", "192.168.56.106"):
        said = subprocess.run(
            ["ssh", "-G", "-F", workdir.ssh_config, name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
        assert {
            "hostname 192.168.56.106",
            "user vagrant",
            "stricthostkeychecking true",
            "identityagent none",
            f"identityfile {workdir.ssh / 'id_ed25519'}",
            f"controlpath {ssh.control_dir(workdir)}/192.168.56.106",
        } <= set(said)


def test_sockets_are_short_private_and_of_one_lab(
    workdir: Workdir, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh.ensure_config(workdir, TOPOLOGY)
    assert ssh.control_dir(workdir).stat().st_mode & 0o777 == 0o700
    assert ssh.control_dir(workdir) != ssh.control_dir(Workdir(workdir.path.with_name("b")))
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    deep = Workdir.of("demo", root=workdir.path / ("deep" * 40))
    # ssh appends 17 characters of its own while it makes the socket.
    assert len(f"{ssh.control_dir(deep)}/192.168.156.106") + 17 < 104


def test_a_folder_that_others_can_enter_is_refused(workdir: Workdir) -> None:
    ssh.control_dir(workdir).mkdir(mode=0o755)
    with pytest.raises(LabError, match="not a private folder"):
        ssh.ensure_config(workdir, TOPOLOGY)


def test_closing_without_masters_leaves_nothing(workdir: Workdir) -> None:
    ssh.ensure_config(workdir, TOPOLOGY)
    ssh.close_masters(workdir)
    ssh.close_masters(workdir)
    assert not ssh.control_dir(workdir).exists()


@pytest.fixture
def greeting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    """A node on loopback that greets once with the parameter's bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(ssh, "PORT", server.getsockname()[1])

        def serve() -> None:
            link, _ = server.accept()
            with link:
                link.sendall(request.param)

        thread = threading.Thread(target=serve)
        thread.start()
        yield replace(TOPOLOGY.jms, address=IPv4Address("127.0.0.1"))
        thread.join(timeout=5)


@pytest.mark.sockets
@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_10.0\r\n"], indirect=True)
def test_a_greeting_of_sshd_ends_the_wait(greeting: Node) -> None:
    ssh.wait_ssh([greeting], deadline=Deadline.after(5))


@pytest.mark.sockets
@pytest.mark.parametrize("greeting", [b"220 mail\r\n"], indirect=True)
def test_another_greeting_is_told(greeting: Node) -> None:
    with pytest.raises(LabError, match=r"'jms' \(127\.0\.0\.1: greeted with b'220 mail"):
        ssh.wait_ssh([greeting], deadline=Deadline.after(0))


@pytest.mark.sockets
def test_a_silent_node_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr(ssh, "PORT", port)
    node = replace(TOPOLOGY.jms, address=IPv4Address("127.0.0.1"))
    with pytest.raises(LabError, match=r"No ssh from 'jms' .*refused"):
        ssh.wait_ssh([node], deadline=Deadline.after(0.2))
