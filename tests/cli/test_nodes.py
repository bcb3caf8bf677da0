"""`labctl ssh`: a shell, or the line for one's own ssh_config."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from labctl.cli.nodes import ssh_command
from labctl.core.errors import UsageError
from labctl.topology.lab import Lab


@pytest.fixture(autouse=True)
def _named(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)


def run(*words: str) -> Any:
    return CliRunner().invoke(ssh_command, ["--lab", "demo", *words], standalone_mode=False)


def test_one_line_for_the_users_configuration(lab: Lab) -> None:
    done = run("--config")
    assert done.stdout == f'Include "{lab.folder.path.parent}/*/ssh/hosts"\n'
    assert "scp file jms.demo:\n" in done.stderr
    assert "Host jms.demo 192.168.56.105\n" in lab.folder.ssh_hosts.read_text()


def test_a_shell_needs_a_node() -> None:
    error = run().exception
    assert isinstance(error, UsageError)
    assert error.hint == "The nodes are jms, jvb1, visitors1."


def test_a_shell_opens_on_the_node(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    monkeypatch.setattr("labctl.cli.nodes.open_shell", lambda *words: opened.append(words))
    run("jvb1")
    assert opened == [(lab.folder, "jvb1")]
