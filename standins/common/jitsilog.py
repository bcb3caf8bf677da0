"""Log lines in the format of Jitsi's formatter; nothing else writes to the log.

Format: `<program> <date> <time> <LEVEL>: [<thread>] [<k=v ..>] <Class.method#line>: <text>`
(jitsi-utils, logging2/JitsiLogFormatter).  Context is left out when it is empty.  The process
that runs us redirects standard output to the log file, as for the originals.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Mapping
from typing import TextIO

_program = "Stand-in"
_stream: TextIO = sys.stdout
_fine = False
_second: tuple[int, str] = (0, "")


def setup(program: str, *, stream: TextIO | None = None, fine: bool = False) -> None:
    """Set the program name of every line, where lines go, and whether FINE ones are written."""
    global _program, _stream, _fine
    _program = program
    _fine = fine
    if stream is not None:
        _stream = stream


def render_line(
    program: str,
    when: float,
    level: str,
    context: Mapping[str, str],
    where: str,
    message: str,
    *,
    thread: int = 1,
) -> str:
    """One log line without its line end; `when` is seconds since the epoch, shown in local time."""
    global _second
    whole = int(when)
    if _second[0] != whole:
        _second = (whole, time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(whole)))
    millis = int((when - whole) * 1000)
    head = f"{program} {_second[1]}.{millis:03d} {level}: [{thread}] "
    if context:
        pairs = " ".join(f"{key}={value}" for key, value in context.items())
        head += f"[{pairs}] "
    return f"{head}{where}: {message}"


class Journal:
    """Writes lines that carry one context; children add to it."""

    __slots__ = ("context", "thread")

    def __init__(self, context: Mapping[str, str] | None = None, *, thread: int = 1) -> None:
        self.context = dict(context or {})
        self.thread = thread

    def child(self, *, thread: int | None = None, **context: str) -> Journal:
        """A logger with this one's context and more."""
        merged = {**self.context, **context}
        return Journal(merged, thread=self.thread if thread is None else thread)

    def add(self, **context: str) -> None:
        """Add to the context of this logger itself (a meeting id that is known late)."""
        self.context.update(context)

    def fine(self, where: str, message: str) -> None:
        """A debug line; upstream's level FINE, off by default."""
        if _fine:
            self._write("FINE", where, message)

    def info(self, where: str, message: str) -> None:
        """A line at INFO."""
        self._write("INFO", where, message)

    def warning(self, where: str, message: str) -> None:
        """A line at WARNING."""
        self._write("WARNING", where, message)

    def severe(self, where: str, message: str, error: BaseException | None = None) -> None:
        """A line at SEVERE, with the stack trace on the following lines if there is one."""
        self._write("SEVERE", where, message)
        if error is not None:
            _stream.write("".join(traceback.format_exception(error)))
            _stream.flush()

    def _write(self, level: str, where: str, message: str) -> None:
        line = render_line(
            _program, time.time(), level, self.context, where, message, thread=self.thread
        )
        _stream.write(line + "\n")
        _stream.flush()
