"""The seam to the nodes: what can be run, what comes back, and many nodes at once.

`labctl.node.openssh` implements it; unit tests use `tests.fakes.nodes.FakeNodes` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from labctl.core.errors import LabError
from labctl.core.process import end_running
from labctl.node.script import Work
from labctl.node.sections import Sections, parse_sections

T = TypeVar("T")
TAIL_LINES = 12
AT_ONCE = 32
"""The most nodes that are asked at the same time; the others wait."""


class NodeError(LabError):
    """Something went wrong on one node, or on the way to it."""

    def __init__(
        self, node: str, message: str, *, hint: str | None = None, log: Path | None = None
    ) -> None:
        super().__init__(f"Node '{node}'{message}", hint=hint, log=log)
        self.node = node


class UnreachableError(NodeError):
    """A node does not answer; `reason` is what ssh said."""

    def __init__(self, node: str, reason: str, *, log: Path | None = None) -> None:
        hint = "Run 'labctl status' to see the nodes."
        super().__init__(node, f" cannot be reached by ssh: {reason}.", hint=hint, log=log)
        self.reason = reason


class SlowNodeError(NodeError):
    """A node did not finish in time; `seconds` is the time that it had."""

    def __init__(self, node: str, what: str, *, seconds: float, log: Path | None = None) -> None:
        super().__init__(node, f" did not finish within {seconds:.0f} s: '{what}'.", log=log)
        self.seconds = seconds


class ScriptError(NodeError):
    """A command or script on a node ended with an exit status other than zero."""

    def __init__(self, answer: Answer, what: str, *, log: Path | None = None) -> None:
        tail = (answer.errors.strip() or answer.output.strip()).splitlines()[-TAIL_LINES:]
        lines = "".join(f"\n    {line}" for line in tail)
        text = f": '{what}' failed with exit status {answer.code}.{lines}"
        super().__init__(answer.node, text, log=log)


@dataclass(frozen=True, slots=True)
class Answer:
    """A node's output and exit status; standard error is in `output` if they were merged."""

    node: str
    code: int
    output: str
    errors: str = ""

    @property
    def sections(self) -> Sections:
        """The named sections of the output."""
        return parse_sections(self.output)

    @property
    def last_words(self) -> str:
        """The last line that explains a failure."""
        said = (self.errors.strip() or self.output.strip()).splitlines()
        return said[-1] if said else f"exit status {self.code}"


class Nodes(Protocol):
    """The nodes of one lab, by name."""

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
        """Run something on a node to its end, as root with `sudo`.

        Secrets go into `stdin`, never into `work`.  `seconds` is for normal speed and is
        scaled by the lab's patience; None means no limit.  `log` gets all output as it comes;
        `on_line` gets each line of standard output and error.  Errors: UnreachableError and
        SlowNodeError, with or without `check`; ScriptError if the exit status is not zero and
        `check` is set.
        """
        ...


def on_all(names: Iterable[str], do: Callable[[str], T], *, at_once: int = AT_ONCE) -> dict[str, T]:
    """The results of `do` for all nodes, run at the same time, in the order of the names.

    Errors: that of the first node, in this order, that failed.
    """
    names = list(names)
    with ThreadPoolExecutor(max(1, min(at_once, len(names)))) as pool:
        try:
            return dict(zip(names, pool.map(do, names), strict=True))
        except KeyboardInterrupt:
            # Only this thread is interrupted; the others end when their programs do.
            pool.shutdown(wait=False, cancel_futures=True)
            end_running()
            raise


def try_all(names: Iterable[str], do: Callable[[str], T]) -> dict[str, T | NodeError]:
    """Like `on_all`, but the error of a node that fails is its value."""

    def one(name: str) -> T | NodeError:
        try:
            return do(name)
        except NodeError as error:
            return error

    return on_all(names, one)
