"""A program that runs: its output is read as bytes while it comes, its input written so."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from select import select

from labctl.core.process import ProcessError, end, start_bytes
from labctl.core.waiting import Deadline, wait_until

LOOK_EVERY = 0.05


class Flow:
    """One program; whoever starts it ends it.  Errors: ProcessError if it is missing.

    `env` is added to this process's environment.
    """

    def __init__(self, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> None:
        self._child = start_bytes(argv, env=env)

    def read(self, size: int) -> bytes:
        """So many bytes; fewer if the output ends before."""
        return self._child.stdout.read(size) if self._child.stdout is not None else b""

    def lines(self) -> Iterator[bytes]:
        """What it prints, line by line, until its output ends."""
        return iter(self._child.stdout) if self._child.stdout is not None else iter(())

    def write(self, data: bytes, *, seconds: float) -> None:
        """Give the program input.

        Errors: ProcessError if it does not take all of it within so many seconds, or has ended.
        """
        if self._child.stdin is None or self._child.stdin.closed:
            raise ProcessError("A program has ended before its input did.")
        file, deadline, rest = self._child.stdin.fileno(), Deadline.after(seconds), memoryview(data)
        # A program that hangs must not hang its caller, so the pipe is never waited for by itself.
        os.set_blocking(file, False)
        while rest:
            if not select([], [file], [], deadline.left)[1]:
                raise ProcessError(f"A program did not take its input within {seconds:.0f} s.")
            try:
                rest = rest[os.write(file, rest) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ProcessError("A program has ended before its input did.") from error

    def finish(self) -> None:
        """Close the program's input, which tells it to end."""
        if self._child.stdin is not None:
            with suppress(OSError):
                self._child.stdin.close()

    def stop(self) -> None:
        """End the program whatever it does; reading its output then comes to an end."""
        end(self._child)

    def end(self, *, grace: float = 5.0) -> tuple[int, str]:
        """Its exit status and errors, once it has ended; after `grace` seconds it is killed."""
        self.finish()
        ended = wait_until(
            lambda: self._child.poll() is not None,
            deadline=Deadline.after(grace),
            interval=LOOK_EVERY,
        )
        if not ended:
            end(self._child, grace=grace)
        with self._child as child:
            said = child.stderr.read() if child.stderr is not None else b""
            return child.wait(), said.decode("utf-8", "replace")
