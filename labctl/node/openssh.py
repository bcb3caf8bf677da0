"""Nodes over OpenSSH: one connection per node is kept, and all commands share it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from labctl.core.process import ProgramTimeoutError, run
from labctl.node.script import Work, title_of
from labctl.node.seam import Answer, ScriptError, SlowNodeError, UnreachableError
from labctl.topology.lab import Lab

UNREACHABLE = 255
"""The exit status of ssh's own failures; a command's own 255 looks the same."""


class OpenSsh:
    """The nodes of a lab, through the lab's own ssh configuration; see `Nodes` for `run`."""

    def __init__(self, lab: Lab) -> None:
        self._config = str(lab.folder.ssh_config)
        self._patience = lab.patience

    def run(
        self,
        node: str,
        work: Work,
        *,
        sudo: bool = False,
        stdin: str | None = None,
        seconds: float | None = 60.0,
        check: bool = True,
        log: Path | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Answer:
        argv = ["ssh", "-F", self._config, "-T", node, shell_text(work, sudo=sudo)]
        timeout = None if seconds is None else self._patience.scaled(seconds)
        try:
            ended = run(argv, stdin=stdin, timeout=timeout, check=False, log=log, on_line=on_line)
        except ProgramTimeoutError as error:
            raise SlowNodeError(node, title_of(work), seconds=timeout or 0, log=log) from error
        answer = Answer(node, ended.code, ended.output, ended.errors)
        if ended.code == UNREACHABLE:
            silent = not (ended.errors or ended.output).strip()
            raise UnreachableError(node, "no answer" if silent else answer.last_words, log=log)
        if check and ended.code != 0:
            raise ScriptError(answer, title_of(work), log=log)
        return answer


def shell_text(work: Work, *, sudo: bool) -> str:
    """The text for the shell of the node's user."""
    return f"sudo -n -- sh -c {shlex.quote(work.text)}" if sudo else work.text
