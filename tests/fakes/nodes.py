"""Nodes that say what a test tells them to say, and note what was run on them.

    def test_something(nodes: FakeNodes) -> None:
        nodes.says("jms", "42\n", to="cat /etc/answer")
        nodes.silence("jvb1")
        ...
        assert [ran.text for ran in nodes.ran_on("jms")] == ["cat /etc/answer"]

The fixture `nodes` puts the fake behind `labctl.node.reach`, so that everything that reaches nodes
(`up`, drills, the gate, the verbs) reaches these.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from labctl.node.script import Work, title_of
from labctl.node.seam import Answer, ScriptError, SlowNodeError, UnreachableError
from labctl.node.sections import Sections, render_sections

ANY = "*"


@dataclass(frozen=True, slots=True)
class Ran:
    """One thing that was run on a node; `log` is where its output was kept."""

    node: str
    work: Work
    sudo: bool = False
    stdin: str | None = None
    seconds: float | None = None

    @property
    def text(self) -> str:
        return self.work.text

    def asks(self, part: str) -> bool:
        return part in self.work.text or part in (self.stdin or "")


Said = str | Mapping[str, str] | Callable[[Ran], str]


@dataclass(frozen=True, slots=True)
class Rule:
    """What a node answers to whatever holds `to`."""

    node: str
    to: str
    said: Said
    code: int
    errors: str

    def fits(self, ran: Ran) -> bool:
        return self.node in (ANY, ran.node) and ran.asks(self.to)

    def answer(self, ran: Ran) -> Answer:
        said = self.said(ran) if callable(self.said) else self.said
        output = said if isinstance(said, str) else render_sections(said)
        return Answer(ran.node, self.code, output, self.errors)


@dataclass(slots=True)
class FakeNodes:
    """The nodes of a lab, for tests; see `labctl.node.seam.Nodes`."""

    ran: list[Ran] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)
    slow: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def says(
        self, node: str, said: Said = "", *, to: str = "", code: int = 0, errors: str = ""
    ) -> None:
        """From now on a node (ANY: every node) answers this to whatever holds the text `to`.

        A mapping is an answer in sections.  Of several rules that fit, the latest counts.
        """
        self.rules.insert(0, Rule(node, to, said, code, errors))

    def silence(self, node: str, reason: str = "Connection timed out") -> None:
        """From now on a node cannot be reached."""
        self.silent[node] = reason

    def slow_down(self, node: str) -> None:
        """From now on a node never finishes in time."""
        self.slow.add(node)

    def ran_on(self, node: str, part: str = "") -> list[Ran]:
        """What was run on a node and holds `part`, in order."""
        return [ran for ran in self.ran if ran.node == node and ran.asks(part)]

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
        ran = Ran(node, work, sudo, stdin, seconds)
        with self.lock:
            self.ran.append(ran)
        if node in self.silent:
            raise UnreachableError(node, self.silent[node], log=log)
        if node in self.slow:
            raise SlowNodeError(node, title_of(work), seconds=seconds or 0, log=log)
        rule = next((rule for rule in self.rules if rule.fits(ran)), None)
        if rule is None:
            pytest.fail(f"the test does not say what '{node}' answers to:\n{ran.text}")
        answer = rule.answer(ran)
        for line in answer.output.splitlines() if on_line else ():
            on_line(line)
        if check and answer.code != 0:
            raise ScriptError(answer, title_of(work), log=log)
        return answer


def sections_of(lines: Mapping[str, Sequence[str]]) -> Sections:
    """Sections of these lines."""
    return Sections({name: "".join(f"{line}\n" for line in texts) for name, texts in lines.items()})


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeNodes]:
    """Fake nodes in the place of every lab's."""
    fake = FakeNodes()
    monkeypatch.setattr("labctl.node.reach.TRANSPORT", lambda _: fake)
    yield fake
