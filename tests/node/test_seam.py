"""Many nodes at once, what comes back, and what is said where one fails."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from labctl.core.process import ProgramTimeoutError, Result
from labctl.node import openssh
from labctl.node.openssh import OpenSsh, shell_text
from labctl.node.reach import reach
from labctl.node.script import Command, ShellScript, sectioned, title_of
from labctl.node.seam import (
    Answer,
    NodeError,
    ScriptError,
    SlowNodeError,
    UnreachableError,
    on_all,
    try_all,
)
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from tests.fakes.nodes import FakeNodes

NAMES = ["jms", "jvb1", "visitors1"]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(Workdir.of("demo", root=tmp_path), resolve(Spec(lab="demo")))


def test_a_command_arrives_word_by_word_and_a_script_as_it_is() -> None:
    command = Command(("echo", "a b", "$HOME"))
    assert shell_text(command, sudo=False) == "echo 'a b' '$HOME'"
    assert shell_text(ShellScript("echo $HOME"), sudo=False) == "echo $HOME"
    assert shell_text(command, sudo=True) == (
        """sudo -n -- sh -c 'echo '"'"'a b'"'"' '"'"'$HOME'"'"''"""
    )


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("systemctl stop nginx", "systemctl stop nginx"),
        ("\n# why\nset -eu\ncat\n", "set -eu ..."),
        ("", ""),
    ],
)
def test_a_title_is_short(text: str, title: str) -> None:
    assert title_of(ShellScript(text)) == title
    assert title_of(sectioned(text)) == title


@pytest.mark.parametrize(
    ("result", "message"),
    [
        pytest.param(
            Result(("ssh",), 255, "", "warning\nssh: connect to host: No route to host\n"),
            "Node 'jms' cannot be reached by ssh: ssh: connect to host: No route to host.",
            id="said",
        ),
        pytest.param(
            Result(("ssh",), 255, "", ""),
            "Node 'jms' cannot be reached by ssh: no answer.",
            id="silent",
        ),
    ],
)
def test_a_node_that_cannot_be_reached_is_an_error_unasked(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, result: Result, message: str
) -> None:
    monkeypatch.setattr(openssh, "run", lambda *_, **__: result)
    with pytest.raises(UnreachableError) as caught:
        OpenSsh(lab).run("jms", Command(("true",)), check=False)
    assert caught.value.message == message


def test_a_script_that_fails_is_told_with_its_last_lines(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openssh, "run", lambda *_, **__: Result(("ssh",), 3, "out\n", "bad\n"))
    nodes = OpenSsh(lab)
    with pytest.raises(ScriptError) as caught:
        nodes.run("jms", ShellScript("check x\nreload x"), sudo=True, log=lab.folder.path / "log")
    assert caught.value.message == ("Node 'jms': 'check x ...' failed with exit status 3.\n    bad")
    assert caught.value.log == lab.folder.path / "log"
    assert nodes.run("jms", ShellScript("x"), check=False) == Answer("jms", 3, "out\n", "bad\n")


def test_a_node_that_takes_too_long_is_named_without_the_whole_script(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object, **__: object) -> Result:
        raise ProgramTimeoutError("'ssh ...' did not end within 8 s.")

    monkeypatch.setattr(openssh, "run", run)
    with pytest.raises(SlowNodeError, match=r"^Node 'jms' did not finish within 8 s: 'a \.\.\.'"):
        OpenSsh(lab).run("jms", ShellScript("a\nb\n"), seconds=8)


def test_nodes_are_asked_at_the_same_time_and_answer_in_order() -> None:
    together = threading.Barrier(len(NAMES), timeout=10)

    def one(name: str) -> int:
        together.wait()
        return len(name)

    assert list(on_all(NAMES, one).items()) == [("jms", 3), ("jvb1", 4), ("visitors1", 9)]
    assert on_all([], one) == {}


def test_a_silent_node_is_a_value_or_an_error(nodes: FakeNodes, lab: Lab) -> None:
    nodes.says("jms", "up\n")
    nodes.silence("jvb1", "No route to host")
    nodes.slow_down("visitors1")

    def one(name: str) -> str:
        return reach(lab).run(name, Command(("uptime",)), seconds=5).output

    with pytest.raises(UnreachableError, match="'jvb1' cannot be reached by ssh: No route"):
        on_all(NAMES, one)
    found = try_all(NAMES, one)
    assert found["jms"] == "up\n"
    assert isinstance(found["jvb1"], UnreachableError)
    assert found["jvb1"].reason == "No route to host"
    assert isinstance(found["visitors1"], SlowNodeError)


def test_an_error_of_another_kind_is_no_answer() -> None:
    def one(name: str) -> str:
        if name == "jvb1":
            raise ValueError(name)
        raise NodeError(name, " is wrong.")

    with pytest.raises(ValueError, match="jvb1"):
        try_all(NAMES, one)


def test_the_fake_answers_by_what_is_asked_and_notes_it(nodes: FakeNodes, lab: Lab) -> None:
    nodes.says("jms", {"ports": "22\n80\n", "end": ""}, to="ss -ltn")
    nodes.says("jms", "no such unit\n", to="x.service", code=4)
    door = reach(lab)
    assert door.run("jms", ShellScript("ss -ltn")).sections.lines("ports") == ["22", "80"]
    with pytest.raises(ScriptError, match=r"exit status 4\.\n    no such unit"):
        door.run("jms", Command(("systemctl", "stop", "-")), sudo=True, stdin="x.service")
    assert [(ran.text, ran.sudo) for ran in nodes.ran_on("jms")] == [
        ("ss -ltn", False),
        ("systemctl stop -", True),
    ]
    with pytest.raises(pytest.fail.Exception, match="does not say what 'jvb1' answers"):
        door.run("jvb1", Command(("true",)))
