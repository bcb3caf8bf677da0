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

from labctl.core.errors import LabError
from labctl.core.waiting import NO_PATIENCE
from labctl.node import ssh
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.model import Node
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir

TOPOLOGY = resolve(Spec(lab="demo", jvbs=1, visitors=0))


@pytest.fixture
def workdir(tmp_path: Path) -> Workdir:
    return Workdir.of("demo", root=tmp_path / "a folder with spaces")


@pytest.mark.programs
def test_ssh_understands_the_configuration(workdir: Workdir) -> None:
    ssh.ensure_config(Lab(workdir, TOPOLOGY))
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
    ssh.ensure_config(Lab(workdir, TOPOLOGY))
    assert ssh.control_dir(workdir).stat().st_mode & 0o777 == 0o700
    assert ssh.control_dir(workdir) != ssh.control_dir(Workdir(workdir.path.with_name("b")))
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    deep = Workdir.of("demo", root=workdir.path / ("deep" * 40))
    # ssh appends 17 characters of its own while it makes the socket.
    assert len(f"{ssh.control_dir(deep)}/192.168.156.106") + 17 < 104


def test_a_folder_that_others_can_enter_is_refused(workdir: Workdir) -> None:
    ssh.control_dir(workdir).mkdir(mode=0o755)
    with pytest.raises(LabError, match="not a private folder"):
        ssh.ensure_config(Lab(workdir, TOPOLOGY))


def test_closing_without_masters_leaves_nothing(workdir: Workdir) -> None:
    ssh.ensure_config(Lab(workdir, TOPOLOGY))
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
    ssh.wait_ssh([greeting], seconds=5, patience=NO_PATIENCE)


@pytest.mark.sockets
@pytest.mark.parametrize("greeting", [b"220 mail\r\n"], indirect=True)
def test_another_greeting_is_told(greeting: Node) -> None:
    with pytest.raises(LabError, match=r"'jms' \(127\.0\.0\.1: greeted with b'220 mail"):
        ssh.wait_ssh([greeting], seconds=0, patience=NO_PATIENCE)


@pytest.mark.sockets
def test_a_silent_node_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    monkeypatch.setattr(ssh, "PORT", port)
    node = replace(TOPOLOGY.jms, address=IPv4Address("127.0.0.1"))
    with pytest.raises(LabError, match=r"No ssh from 'jms' .*refused"):
        ssh.wait_ssh([node], seconds=0.2, patience=NO_PATIENCE)


@pytest.mark.programs
def test_a_users_own_configuration_may_include_the_nodes(workdir: Workdir, tmp_path: Path) -> None:
    ssh.ensure_config(Lab(workdir, TOPOLOGY))
    mine = tmp_path / "config"
    mine.write_text(f"{ssh.include_line(workdir)}\nHost *\n  User me\n")

    def asked(name: str) -> set[str]:
        words = ["ssh", "-G", "-F", mine, name]
        return set(subprocess.run(words, capture_output=True, text=True, check=True)
                   .stdout.splitlines())  # fmt: skip

    for name in ("jvb1.demo", "192.168.56.106"):
        assert {
            "hostname 192.168.56.106",
            "user vagrant",
            "hostkeyalias jvb1",
            f"userknownhostsfile {workdir.ssh / 'known_hosts'}",
            f"identityfile {workdir.ssh / 'id_ed25519'}",
        } <= asked(name)
    for stranger in ("jvb1", "example.org"):
        said = asked(stranger)
        assert "user me" in said
        assert not any("vagrant" in line or str(workdir.path) in line for line in said)
