"""A program in a terminal that is emulated: what is on the screen, in which colours; keys to it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyte

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 30.0


class Terminal:
    """The screen of a program that runs behind a pty."""

    def __init__(self, end: int, child: subprocess.Popen[bytes], columns: int, rows: int) -> None:
        self.screen = pyte.Screen(columns, rows)
        self.child = child
        self._stream = pyte.ByteStream(self.screen)
        self._end = end

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def press(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def wait_for(self, fits: Callable[[str], bool], *, what: str) -> None:
        """Read until the screen's text fits."""
        until = time.monotonic() + SECONDS
        while not fits(self.text):
            assert time.monotonic() < until, f"no {what}:\n{self.text}"
            if not self._read():
                raise AssertionError(f"the program ended before {what}:\n{self.text}")

    def see(self, words: str) -> None:
        self.wait_for(lambda text: words in text, what=words)

    def wait_end(self) -> int:
        """Read to the end of the program; its exit status."""
        until = time.monotonic() + SECONDS
        while self._read():
            assert time.monotonic() < until, "the program does not end"
        return self.child.wait(SECONDS)

    def background(self, words: str) -> str:
        """The colour behind a text on the screen."""
        for y, line in enumerate(self.screen.display):
            if (x := line.find(words)) >= 0:
                return str(self.screen.buffer[y][x].bg)
        raise AssertionError(f"'{words}' is not there:\n{self.text}")

    def _read(self) -> bool:
        """Take what has come; False at the end."""
        ready, _, _ = select.select([self._end], [], [], 0.2)
        if not ready:
            return True
        try:
            data = os.read(self._end, 65536)
        except OSError:  # the other end is closed
            return False
        # pyte does not know what Textual asks the terminal about itself.
        self._stream.feed(data.replace(b"\x1b[?2026$p", b"").replace(b"\x1b[>1u", b""))
        return bool(data)


@contextmanager
def terminal(
    *words: str, columns: int = 80, rows: int = 24, env: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """Run a Python module in a terminal of this size."""
    end, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    given = {"TERM": "xterm-256color", "COLORTERM": "truecolor", **(env or {})}
    child = subprocess.Popen(
        [sys.executable, "-m", *words], cwd=ROOT, stdin=inner, stdout=inner, stderr=inner,
        env={**os.environ, **given}, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(inner)
    try:
        yield Terminal(end, child, columns, rows)
    finally:
        child.kill()
        child.wait()
        os.close(end)
