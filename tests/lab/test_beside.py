"""Labs beside each other: one that fails does not stop the others."""

from __future__ import annotations

import threading

from labctl.core.errors import LabError
from labctl.core.progress import NOTICE, Progress
from labctl.lab.beside import work_beside


def test_a_lab_that_fails_does_not_stop_the_others() -> None:
    lines: list[tuple[str, str, str | None]] = []

    def note(phase: str, message: str, *, node: str | None = None) -> None:
        lines.append((phase, message, node))

    def work(lab: str, progress: Progress) -> str:
        progress("machines", "starting", node="jms")
        progress(NOTICE, "STAND-INS")
        if lab == "b":
            raise LabError("It is broken.\nMore of it.")
        return lab.upper()

    results = work_beside(["a", "b", "c"], work, at_once=1, progress=note)
    assert [(it.lab, it.value) for it in results] == [("a", "A"), ("b", None), ("c", "C")]
    assert results[1].error == LabError("It is broken.\nMore of it.")
    assert [it for it in lines if it[0] == "machines"] == [
        ("machines", "jms: starting", lab) for lab in "abc"
    ]
    assert ("failed", "It is broken.", "b") in lines
    assert [it for it in lines if it[0] == NOTICE] == [(NOTICE, "Lab 'a': STAND-INS", None)]


def test_labs_really_come_up_beside_each_other() -> None:
    both = threading.Barrier(2)

    def work(lab: str, progress: Progress) -> int:
        return both.wait(timeout=10)

    results = work_beside(["a", "b"], work, at_once=2, progress=lambda *_, **__: None)
    assert sorted(it.value for it in results if it.value is not None) == [0, 1]
