"""Sides of the gate as a run recorded them, to be changed by a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labctl.gate.compare import judge_gate
from labctl.gate.measures import Up
from labctl.gate.model import CaseOutcome, Difference, Gate, GateCase, LogTemplate, Side

PASSED, FAILED, SKIPPED, FLAKY = (
    CaseOutcome.PASSED,
    CaseOutcome.FAILED,
    CaseOutcome.SKIPPED,
    CaseOutcome.FLAKY,
)
UPS = tuple(
    Up({"host": 0.3, "images": 0.1, "render": 0.2, "machines": 7.0 + i / 10,
        "provision": 6.0 + i / 10, "ready": 5.0 + i / 5})
    for i in range(3)
)  # fmt: skip


def case(name: str, outcome: CaseOutcome = PASSED, message: str = "") -> GateCase:
    return GateCase(f"acceptance/test_x.py::{name}", outcome, 0.5, message)


def template(text: str, *, level: str = "warning", source: str = "jicofo") -> LogTemplate:
    return LogTemplate(source, level, text, 3, text.replace("<n>", "7"))


def slower(ups: Sequence[Up], seconds: float) -> tuple[Up, ...]:
    """The same runs, whose last phase took so much longer."""
    return tuple(
        replace(up, seconds={**up.seconds, "ready": up.seconds["ready"] + seconds}) for up in ups
    )


def finding_storm(count: int = 12) -> Gate:
    """A gate on a bad day: every area has something, some of it long, alike or with markup."""
    xml = "<iq type='set'><x xmlns='y'>" + "z" * 3000 + "</x></iq>"
    failed = tuple(
        case(f"test_a[node-{n}]", FAILED, f"<b>nobody</b> after {n} s") for n in range(count)
    )
    new = make_side(
        tests=(*failed, case("test_ok")),
        drills=(GateCase("failover", FAILED, 20.0, "nobody was re-invited"),),
        contract=(GateCase("jicofo: log-file", FAILED, 0.1, "jms: mode is 640"),),
        drift=tuple(
            Difference(f"prosody [host-{n}] a{n}: 1 -> 2", judged=False) for n in range(count)
        ),
        logs=tuple(
            replace(template(f"Took it {word}: {xml}"), origin=f"Conference.{word}")
            for word in ("here", "there", "nowhere")
        ),
        ups=slower(UPS, 4),
    )
    old = make_side(
        "baseline", tests=(*(case(it.name.partition("::")[2]) for it in failed), case("test_ok"))
    )
    return judge_gate(new, old)


def make_side(label: str = "candidate", **values: object) -> Side:
    given = {
        "packages": {"jicofo": "1.0-1200-1"},
        "ups": UPS,
        "tests": (case("test_a"), case("test_b"), case("test_c", SKIPPED, "no relays")),
        "drills": (GateCase("failover", PASSED, 20.0),),
        "drift": (Difference("jicofo a: 1 -> 2", judged=True),),
        "logs": (template("discovered <n> components"),),
    } | values
    return Side(label, "debs:/candidates", **given)  # type: ignore[arg-type]
