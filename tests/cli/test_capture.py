"""`labctl capture`: where packets go, and what is said of them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.capture import record
from labctl.cli import capture
from labctl.cli.capture import capture_command
from labctl.core.errors import UsageError
from labctl.topology.lab import Lab
from tests.capture.taps import FakeTaps, blocks, pcap

pytestmark = pytest.mark.programs
SAYS = {"jms": pcap((1, b"a")), "jvb1": pcap((2, b"b"))}


@pytest.fixture(autouse=True)
def taps(lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeTaps:
    monkeypatch.setattr("labctl.cli.common.Workdir.of", lambda name: lab.folder)
    monkeypatch.chdir(tmp_path)
    found = FakeTaps(tmp_path, SAYS)
    monkeypatch.setitem(record.record.__kwdefaults__, "opener", found)
    return found


def run(*words: str) -> Any:
    return CliRunner().invoke(
        capture_command, ["--lab", "demo", "--packets", "2", *words], standalone_mode=False
    )


def test_a_new_file_in_the_labs_folder_for_this_user_alone(lab: Lab, taps: FakeTaps) -> None:
    done = run("jms", "jvb1", "jms", "--filter", "brewery")
    [file] = (lab.folder.path / "captures").iterdir()
    assert done.stdout == f"{file}\n"
    assert "2 packets; the kernel dropped 7 on 'jms', 7 on 'jvb1'\n" in done.stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [block.kind for block in blocks(file.read_bytes())] == [0x0A0D0D0A, 1, 6, 1, 6]
    assert len(taps.flows) == 2
    assert "-w - 'tcp port 5222' <" in taps.asked["jms"]


def test_facts_for_programs() -> None:
    done = run("jms", "jvb1", "-w", "out.pcapng", "--json")
    assert json.loads(done.stdout) == {
        "file": "out.pcapng",
        "packets": 2,
        "dropped": {"jms": 7, "jvb1": 7},
    }


def test_standard_output_has_packets_only() -> None:
    done = run("jms", "jvb1", "-w", "-", "--json")
    assert [block.kind for block in blocks(done.stdout_bytes)] == [0x0A0D0D0A, 1, 6, 1, 6]


def test_a_terminal_gets_no_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture.sys.stdout, "isatty", lambda: True, raising=False)
    with (
        pytest.raises(UsageError, match="A terminal cannot show packets"),
        capture._opened(Path("-")),
    ):
        pass


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["jvb7"], "Lab 'demo' has no node 'jvb7'. Did you mean 'jvb1'?"),
        (["jms", "-f", "xmpp"], "There is no filter 'xmpp'."),
        (["jvb1", "-f", "s2s"], "No packets of s2s are seen on node 'jvb1'."),
    ],
)
def test_a_mistake_is_named_before_anything_runs(
    words: list[str], message: str, taps: FakeTaps
) -> None:
    error = run(*words).exception
    assert isinstance(error, UsageError)
    assert error.message == message
    assert taps.flows == []


def test_the_help_names_every_word() -> None:
    from labctl.topology.units import Talk

    [option] = [it for it in capture_command.params if it.name == "words"]
    text = getattr(option, "help", "")
    assert all(f"{word}" in text for word in Talk)
