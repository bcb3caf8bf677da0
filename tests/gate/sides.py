"""Sides of the gate as a run recorded them, to be changed by a test."""

from __future__ import annotations

from labctl.gate.model import Case, Difference, LogTemplate, Outcome, Side

PASSED, FAILED, SKIPPED, FLAKY = (
    Outcome.PASSED,
    Outcome.FAILED,
    Outcome.SKIPPED,
    Outcome.FLAKY,
)
UPS = tuple(
    {"host": 0.3, "images": 0.1, "render": 0.2, "machines": 7.0 + i / 10, "provision": 6.0 + i / 10,
     "ready": 5.0 + i / 5}
    for i in range(3)
)  # fmt: skip


def case(name: str, outcome: Outcome = PASSED, message: str = "") -> Case:
    return Case(f"acceptance/test_x.py::{name}", outcome, 0.5, message)


def template(text: str, *, level: str = "warning", source: str = "jicofo") -> LogTemplate:
    return LogTemplate(source, level, text, 3, text.replace("<n>", "7"))


def make_side(label: str = "candidate", **values: object) -> Side:
    given = {
        "packages": {"jicofo": "1.0-1200-1"},
        "ups": UPS,
        "tests": (case("test_a"), case("test_b"), case("test_c", SKIPPED, "no relays")),
        "drills": (Case("failover", PASSED, 20.0),),
        "drift": (Difference("jicofo a: 1 -> 2", judged=True),),
        "logs": (template("discovered <n> components"),),
    } | values
    return Side(label, "debs:/candidates", **given)  # type: ignore[arg-type]
