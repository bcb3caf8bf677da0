"""The `vagrant` command through python-vagrant; `labctl.core.process` starts its programs.

This is a module of its own because python-vagrant looks for the command when it is imported, and
complains on standard error if Vagrant is not installed yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import vagrant as python_vagrant

from labctl.core.errors import LabError
from labctl.core.process import run
from labctl.providers.base import PassingError

AGAIN = "Run 'labctl up' again; if it crashes each time, the log says where."
HINT = "Install the package 'vagrant', or run 'labctl doctor'."
TAIL_LINES = 12

CRASHED = re.compile(r"\[BUG\] (.+)$", re.MULTILINE)
"""What Ruby prints when the interpreter itself crashes, before pages about its memory."""

NODE_FAILED = re.compile(r"error occurred (?:while|when) executing the action on the\s+'([^']+)'")
"""The beginning of the part about a node; with "when" and a line break for unexpected errors."""

RUBY = re.compile(r"^\S+\.rb:\d+:in ")
"""A line of a traceback, which Vagrant prints with unexpected errors."""


class Vagrant(python_vagrant.Vagrant):
    """python-vagrant that starts its programs through `labctl.core.process`."""

    def __init__(
        self,
        root: Path,
        *,
        env: Mapping[str, str],
        lock: Path,
        log: Path,
        on_line: Callable[[str], None],
        explain: Callable[[str], LabError | None],
    ) -> None:
        super().__init__(root=str(root), env=dict(env))  # type: ignore[no-untyped-call]
        self._lock = lock
        self._log = log
        self._on_line = on_line
        self._explain = explain

    def _call_vagrant_command(self, args: Sequence[str | None]) -> None:
        argv = self._make_vagrant_command(args)
        root = Path(self.root)
        result = run(
            argv,
            cwd=root,
            env=self.env,
            check=False,
            log=self._log,
            on_line=self._on_line,
            hint=HINT,
        )
        if result.code != 0:
            raise describe_failure(result.output, log=self._log, explain=self._explain)

    def _run_vagrant_command(self, args: Sequence[str | None]) -> str:
        argv = self._make_vagrant_command(args)
        return run(argv, cwd=Path(self.root), env=self.env, hint=HINT).output

    def _stream_vagrant_command(self, args: Sequence[str | None]) -> Iterator[str]:
        raise NotImplementedError("Lines are handed to 'on_line' instead.")

    def _make_vagrant_command(self, args: Sequence[str | None]) -> list[str]:
        # Vagrant and its children inherit the lock, so one that outlives labctl is noticed.
        return [
            "flock",
            "--no-fork",
            str(self._lock),
            "vagrant",
            *(arg for arg in args if arg is not None),
        ]


def describe_failure(
    output: str, *, log: Path, explain: Callable[[str], LabError | None]
) -> LabError:
    """The useful part of Vagrant's failure: the nodes by name, their reasons, the log.

    A crash is a PassingError, for a second try is worth it; then comes the provider's own
    explanation, `explain`.
    """
    if crash := CRASHED.search(output):
        return PassingError(f"Vagrant's Ruby crashed: {crash[1]}.", hint=AGAIN, log=log)
    known = explain(output)
    if known is not None:
        return type(known)(known.message, hint=known.hint, log=log)
    # Vagrant runs nodes in parallel and prints their errors one after another at the end.
    _, *blocks = NODE_FAILED.split(output)
    reasons = [
        f"'{name}': {_reason(text)}" for name, text in zip(blocks[::2], blocks[1::2], strict=True)
    ]
    if not reasons:
        reasons = ["Vagrant said:", *_said(output)[-TAIL_LINES:]]
    lines = "".join(f"\n    {line}" for line in reasons)
    return LabError(f"Vagrant could not run the lab's machines.{lines}", log=log)


def _reason(text: str) -> str:
    """The most useful line of a node's error: the output of the program that Vagrant ran."""
    if found := re.search(r"^Stderr: (.*?)^Stdout:", text, re.MULTILINE | re.DOTALL):
        said = [line.strip() for line in found[1].splitlines() if line.strip()]
        return next((line for line in said if "rror" in line), " ".join(said[:1]))
    return " ".join(line.strip() for line in _said(text)[1:4])


def _said(text: str) -> list[str]:
    """The lines that are meant for people."""
    return [line for line in text.splitlines() if line.strip() and not RUBY.search(line)]
