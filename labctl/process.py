"""The one door to other programs.

Argument lists only, standard input closed unless given, output captured and optionally kept in
a log file, and a line that can be pasted into a shell in every log and error.
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
from typing import IO

from labctl.errors import LabError

TAIL_LINES = 12

_running: set[subprocess.Popen[str]] = set()


class ProcessError(LabError):
    """A program failed, is missing, or took too long."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a program ended and what it printed (standard error is part of `output` when merged)."""

    argv: tuple[str, ...]
    code: int
    output: str
    errors: str = ""


def shell_line(argv: Sequence[str | Path]) -> str:
    """The command as one would type it."""
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
    endable: bool = True,
) -> Result:
    """Run a program to its end.

    `env` is added to this process's environment.  With `log`, standard output and error are
    appended to that file as they come; with `on_line` (which implies merged output) each line
    is handed over too.  Errors: ProcessError when the program is missing, runs longer than
    `timeout` seconds, or exits non-zero while `check` is set.  `end_running` spares what is not
    `endable`: the short programs that clean up after others.
    """
    words = tuple(str(part) for part in argv)
    merged = log is not None or on_line is not None
    try:
        # A group of its own: Ctrl-C reaches labctl first, which then ends the child in order.
        child = subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, **env} if env else None,
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
    if endable:
        _running.add(child)
    try:
        if merged:
            output, errors = _follow(child, words, stdin, timeout, log, on_line), ""
        else:
            output, errors = child.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        end(child)
        raise ProcessError(
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
                # What was not written yet cannot be written any more.
                with suppress(OSError):
                    stream.close()
    result = Result(words, child.returncode, output, errors)
    if check and result.code != 0:
        raise failure(result, log=log, hint=hint)
    return result


def failure(result: Result, *, log: Path | None = None, hint: str | None = None) -> ProcessError:
    """The error for a program that ended badly, with the last lines that it printed."""
    lines = (result.errors.strip() or result.output.strip()).splitlines()
    tail = "".join(f"\n    {line}" for line in lines[-TAIL_LINES:])
    status = (
        f"was ended by {signal.Signals(-result.code).name}"
        if result.code < 0
        else f"failed with exit status {result.code}"
    )
    return ProcessError(f"'{shell_line(result.argv)}' {status}.{tail}", hint=hint, log=log)


def end(child: subprocess.Popen[str], *, grace: float = 5.0) -> None:
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

    For whoever runs programs in threads: Ctrl-C reaches the main thread only.
    """
    for child in list(_running):
        end(child, grace=grace)


def exec_over(argv: Sequence[str | Path]) -> None:
    """Become another program (an interactive ssh, say); does not return."""
    words = [str(part) for part in argv]
    try:
        os.execvp(words[0], words)
    except FileNotFoundError as error:
        raise ProcessError(f"'{words[0]}' is not installed.") from error


def pass_through(argv: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> int:
    """Run a program that talks to the user itself; returns its exit status.

    It stays in labctl's process group: Ctrl-C reaches it first, and it ends in its own way.
    """
    words = [str(part) for part in argv]
    with subprocess.Popen(words, cwd=cwd, env={**os.environ, **env}) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue


def spawn(argv: Sequence[str | Path], *, log: Path) -> int:
    """Start a program that outlives labctl, its output going to `log`; returns its pid."""
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(part) for part in argv]
    with log.open("ab") as sink:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    # Nobody waits for it: that is meant here, and Python need not warn of it.
    child.returncode = 0
    return child.pid


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone (or a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name stands in parentheses and may hold anything, so count from its end.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


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
