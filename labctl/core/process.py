"""Run other programs; all of labctl starts them here.

Arguments are lists.  Standard input is closed unless it is given.  Output is captured, and kept in
a log file if one is named.  Every log and error has a line that can be pasted into a shell.
Programs whose output is read speak English in UTF-8, and what they write is readable for others,
whatever the user's locale and umask are.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from labctl.core.errors import LabError
from labctl.core.paste import paste_line

TAIL_LINES = 12
SPEECH = {"LC_ALL": "C.UTF-8", "LANGUAGE": ""}
"""What programs say is read by labctl, and names of files are UTF-8."""

UMASK = 0o022
"""Images, packages and boxes are read by other users: apt's own, root in a container, mmdebstrap's.

A lab's own folder is closed to others (`labctl.lab.prepare`)."""

_running: set[subprocess.Popen[str]] = set()
_listener: Callable[[str], None] | None = None


class ProcessError(LabError):
    """A program failed, is missing, or took too long."""


class ProgramTimeoutError(ProcessError):
    """A program took too long."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a program ended and what it printed (standard error is part of `output` when merged)."""

    argv: tuple[str, ...]
    code: int
    output: str
    errors: str = ""


def announce_programs(tell: Callable[[str], None] | None) -> None:
    """From now on pass every program to `tell` before it is run, as a line for a shell."""
    global _listener
    _listener = tell


def is_announcing() -> bool:
    """Whether programs are told before they are run."""
    return _listener is not None


def _announce(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> None:
    if _listener is not None:
        _listener(paste_line(argv, cwd=cwd, env=env, stdin=stdin))


def shell_line(argv: Sequence[str | Path]) -> str:
    """The command as a person would type it."""
    return shlex.join(str(part) for part in argv)


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    timeout: float | None = None,
    check: bool = True,
    log: Path | None = None,
    on_line: Callable[[str], None] | None = None,
    hint: str | None = None,
    stoppable: bool = True,
) -> Result:
    """Run a program to its end.

    `env` is added to this process's environment.  With `log`, standard output and error are
    appended to that file as they come.  With `on_line`, which implies merged output, each line is
    passed to it as well.  `end_running` does not end a program that is not `stoppable`; short
    programs that clean up after others are not.  Errors: ProcessError if the program is missing,
    runs longer than `timeout` seconds, or fails and `check` is set.
    """
    words = tuple(str(part) for part in argv)
    merged = log is not None or on_line is not None
    _announce(words, cwd=cwd, env=env, stdin=stdin)
    try:
        # A group of its own: Ctrl-C reaches labctl first, which then ends the child in order.
        child = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **SPEECH, **(env or {})},
            umask=UMASK,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except FileNotFoundError as error:
        where = f" (in '{cwd}')" if cwd and not cwd.is_dir() else ""
        raise ProcessError(f"'{words[0]}' is not installed{where}.", hint=hint) from error
    except PermissionError as error:
        raise ProcessError(f"'{words[0]}' may not be executed.", hint=hint) from error
    if stoppable:
        _running.add(child)
    try:
        if merged:
            output, errors = _follow(child, words, stdin, timeout, log, on_line), ""
        else:
            output, errors = child.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        end(child)
        raise ProgramTimeoutError(
            f"'{shell_line(words)}' did not end within {timeout:.0f} s.",
            hint=hint,
            log=log,
        ) from error
    except BaseException:
        end(child)
        raise
    finally:
        _running.discard(child)
        for stream in (child.stdin, child.stdout, child.stderr):
            if stream is not None:
                # The program has ended, so nothing more can be written to it.
                with suppress(OSError):
                    stream.close()
    result = Result(words, child.returncode, output, errors)
    if check and result.code != 0:
        raise failure(result, log=log, hint=hint)
    return result


def failure(result: Result, *, log: Path | None = None, hint: str | None = None) -> ProcessError:
    """The error for a program that failed, with the last lines that it printed."""
    lines = (result.errors.strip() or result.output.strip()).splitlines()
    tail = "".join(f"\n    {line}" for line in lines[-TAIL_LINES:])
    status = (
        f"was ended by {signal.Signals(-result.code).name}"
        if result.code < 0
        else f"failed with exit status {result.code}"
    )
    return ProcessError(f"'{shell_line(result.argv)}' {status}.{tail}", hint=hint, log=log)


def end(child: subprocess.Popen[Any], *, grace: float = 5.0) -> None:
    """Stop a child and its group: TERM first, KILL after `grace` seconds."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, kind)
        try:
            child.wait(timeout=grace)
            return
        except subprocess.TimeoutExpired:
            continue


def end_running(*, grace: float = 5.0) -> None:
    """Stop every program that a `run` in any thread is waiting for; those calls then fail.

    Needed after Ctrl-C when programs run in threads: only the main thread is interrupted.
    """
    for child in list(_running):
        end(child, grace=grace)


def exec_over(argv: Sequence[str | Path]) -> None:
    """Replace this process by another program, such as an interactive ssh; does not return."""
    words = [str(part) for part in argv]
    _announce(words)
    try:
        os.execvp(words[0], words)
    except FileNotFoundError as error:
        raise ProcessError(f"'{words[0]}' is not installed.") from error


def pass_through(argv: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> int:
    """Run a program that talks to the user itself; returns its exit status.

    It stays in labctl's process group: Ctrl-C reaches it first, and it ends in its own way.
    """
    words = [str(part) for part in argv]
    _announce(words, cwd=cwd, env=env)
    with subprocess.Popen(words, cwd=cwd, env={**os.environ, **env}) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue


def start_bytes(
    argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program whose output is bytes, in a group of its own (`labctl.core.flow`).

    `env` is added to this process's environment.
    """
    words, pipe = [str(part) for part in argv], subprocess.PIPE
    _announce(words, env=env)
    whole = {**os.environ, **SPEECH, **(env or {})}
    try:
        return subprocess.Popen(
            words, env=whole, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
    except FileNotFoundError as error:
        raise ProcessError(f"'{words[0]}' is not installed.") from error


def spawn(argv: Sequence[str | Path], *, log: Path) -> int:
    """Start a program that outlives labctl, its output going to `log`; returns its pid."""
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(part) for part in argv]
    _announce(words)
    with log.open("ab") as sink:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Nobody waits for it on purpose, so Python should not warn about it.
    child.returncode = 0
    return child.pid


def _follow(
    child: subprocess.Popen[str],
    words: tuple[str, ...],
    stdin: str | None,
    timeout: float | None,
    log: Path | None,
    on_line: Callable[[str], None] | None,
) -> str:
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        end(child)

    timer = threading.Timer(timeout, expire) if timeout is not None else None
    sink: IO[str] | None = None
    lines: list[str] = []
    assert child.stdout is not None
    try:
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
            sink = log.open("a", encoding="utf-8", errors="replace")
            sink.write(f"$ {shell_line(words)}\n")
        if timer is not None:
            timer.start()
        if child.stdin is not None and stdin is not None:
            with suppress(BrokenPipeError):
                child.stdin.write(stdin)
                child.stdin.close()
        for line in child.stdout:
            lines.append(line)
            if sink is not None:
                sink.write(line)
                sink.flush()
            if on_line is not None:
                on_line(line.rstrip("\n"))
        child.wait()
    finally:
        child.stdout.close()
        if timer is not None:
            timer.cancel()
        if sink is not None:
            sink.close()
    if expired.is_set():
        raise subprocess.TimeoutExpired(list(words), timeout or 0.0)
    return "".join(lines)
