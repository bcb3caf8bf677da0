"""What shells complete: names of labs, nodes, drills; and the scripts themselves, in the shells."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from labctl.cli.completion import SHELLS, VARIABLE, completion_command
from labctl.cli.main import cli
from labctl.drills import DRILLS
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir, lab_names


def completed(words: list[str], begun: str) -> list[str]:
    found = ShellComplete(cli, {}, "labctl", VARIABLE).get_completions(words, begun)
    return [item.value for item in found]


@pytest.fixture
def project(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The labs of the project are 'demo' and an empty folder."""
    root = lab.folder.path.parents[1]
    (root / ".lab" / "empty").mkdir()
    (root / ".lab" / "current").symlink_to("demo")
    folder = root / ".lab"
    monkeypatch.setattr("labctl.cli.complete.Workdir.of", lambda name: Workdir(folder / name))
    monkeypatch.setattr("labctl.cli.complete.lab_names", lambda: lab_names(root=root))
    monkeypatch.setattr("labctl.cli.complete.current_lab", lambda: "demo")
    return lab


def test_labs(project: Lab) -> None:
    assert completed(["status", "--lab"], "") == ["demo"]
    assert completed(["destroy", "--lab"], "x") == []


@pytest.mark.parametrize("verb", ["ssh", "exec", "logs"])
def test_nodes(project: Lab, verb: str) -> None:
    assert completed([verb], "") == ["jms", "jvb1", "visitors1"]
    assert completed([verb, "--lab", "demo"], "j") == ["jms", "jvb1"]
    assert completed([verb, "--lab", "nowhere"], "j") == []


def test_a_damaged_lab_completes_nothing(project: Lab) -> None:
    project.folder.topology_file.write_text("{")
    assert completed(["ssh"], "") == []


def test_drills() -> None:
    names = [drill.name for drill in DRILLS]
    assert completed(["drill", "run"], "") == ["all", *names]
    assert completed(["drill", "run", "bridge-kill"], "bridge-h") == ["bridge-hang"]
    assert completed(["gate", "--drills"], "failover,vnode-s") == [
        f"failover,{name}" for name in names if name.startswith("vnode-s")
    ]


def test_verbs_and_providers() -> None:
    assert completed([], "comp") == ["completion"]
    assert completed(["images", "list", "--provider"], "d") == ["docker"]
    assert completed(["completion"], "") == list(SHELLS)


def script_of(shell: str) -> str:
    return CliRunner().invoke(cli, ["completion", shell], standalone_mode=False).stdout


ASKED = {
    "bash": (
        ". ./script; COMP_WORDS=(labctl drill run bridge-h); COMP_CWORD=3; "
        '_labctl_completion labctl; printf "%s\\n" "${COMPREPLY[@]}"'
    ),
    "fish": "source ./script; complete -C 'labctl drill run bridge-h'",
}


@pytest.mark.programs
@pytest.mark.parametrize("shell", ASKED)
def test_a_shell_completes(shell: str, tmp_path: Path, root: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"'{shell}' is not installed")
    (tmp_path / "labctl").write_text(
        f'#!/bin/sh\nexport PYTHONPATH="{root}"\n'
        f'exec "{sys.executable}" -c "from labctl.cli import main; main()" "$@"\n'
    )
    (tmp_path / "labctl").chmod(0o755)
    (tmp_path / "script").write_text(script_of(shell))
    done = subprocess.run(
        [shell, "-c", ASKED[shell]],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split()[0] == "bridge-hang"
    assert done.stderr == ""


@pytest.mark.programs
@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_reads_the_script(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"'{shell}' is not installed")
    script = tmp_path / "script"
    script.write_text(script_of(shell))
    subprocess.run([program, "-n", script], check=True, timeout=20)


@pytest.mark.programs
def test_an_unknown_shell_is_refused() -> None:
    error = CliRunner().invoke(completion_command, ["tcsh"], standalone_mode=False).exception
    assert isinstance(error, click.UsageError)
