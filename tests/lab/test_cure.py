"""What `doctor --fix` runs, and that it says what it changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from labctl.core.checks import Check, CheckStatus, Fix
from labctl.core.findings import Finding
from labctl.core.progress import silent
from labctl.host.needs import Need
from labctl.lab import cure as module
from labctl.lab.cure import cure_machine, describe
from labctl.providers import table
from labctl.topology.spec import ProviderName
from provision.outcome import NodeOutcome
from tests.nullprovider import NullProvider


def finding(path: Path, *, command: str = "touch") -> Check:
    fix = Fix((command, str(path)), f"'{path.name}' was made")
    return Check("it", CheckStatus.FAIL, "broken", fix.hint, Finding.CGROUPS_MISSING, fix)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> NullProvider:
    provider = NullProvider()
    monkeypatch.setitem(table.TABLE, ProviderName.DOCKER, provider)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return provider


@pytest.mark.programs
def test_commands_are_run_and_what_they_changed_is_said(
    provider: NullProvider, tmp_path: Path
) -> None:
    stopped = Check("engine", CheckStatus.WARN, "stopped", "Start it.", Finding.ENGINE_STOPPED)
    fine = Check("mtu", CheckStatus.OK, "1500")
    asked: list[str] = []
    changed = cure_machine(
        ProviderName.DOCKER,
        [fine, finding(tmp_path / "made"), stopped],
        progress=lambda phase, text, **_: asked.append(text),
    )
    assert (tmp_path / "made").is_file()
    assert changed == ["'made' was made", "the Docker engine was started"]
    assert provider.said == ["ensure"]
    assert asked == [f"Run as root: touch {tmp_path / 'made'} ..."]


@pytest.mark.programs
def test_a_cure_that_fails_is_not_said_to_have_changed_anything(
    provider: NullProvider, tmp_path: Path
) -> None:
    asked: list[str] = []
    changed = cure_machine(
        ProviderName.DOCKER,
        [finding(tmp_path / "nowhere" / "made")],
        progress=lambda phase, text, **_: asked.append(text),
    )
    assert changed == [] and asked[-1].startswith("not cured: ")


@pytest.mark.programs
def test_what_was_installed_is_said(
    provider: NullProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "some-tool"
    provider.needs = (Need("some-tool", ("some-package",), "is needed here"),)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def install(name: ProviderName, *, progress: object) -> None:
        program.write_text("#!/bin/sh\necho 1.2.3\n", encoding="utf-8")
        program.chmod(0o755)

    monkeypatch.setattr(module, "ensure_provider", install)
    changed = cure_machine(ProviderName.DOCKER, [], progress=silent)
    assert changed == ["'some-tool' was installed: 1.2.3"]


def test_what_was_done_on_a_node_is_said_file_by_file() -> None:
    outcome = NodeOutcome(changed=("/etc/a",), removed=("/etc/b",), restarted=("jicofo",))
    assert describe("jms", outcome) == [
        "'/etc/a' on 'jms' was placed again",
        "'/etc/b' on 'jms' was removed",
        "node 'jms': 2 files changed; restarted jicofo",
    ]
    assert describe("jms", NodeOutcome()) == []
