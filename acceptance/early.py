"""What takes time and is shared by tests begins while other tests run."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import Generic, TypeVar

from labctl.topology.lab import Lab

T = TypeVar("T")


class Early(Generic[T]):
    """A context that is entered in a thread of its own, at once."""

    def __init__(self, make: Callable[[Lab], AbstractContextManager[T]], lab: Lab) -> None:
        self._stack = ExitStack()
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._value: Future[T] = self._pool.submit(lambda: self._stack.enter_context(make(lab)))

    def value(self) -> T:
        """What the context gave; raises what it raised."""
        return self._value.result()

    def end(self) -> None:
        """Leave the context, once it was entered; more than once is allowed."""
        self._pool.shutdown(wait=True)
        self._stack.close()
