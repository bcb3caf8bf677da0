"""Checks of the whole lab: what `labctl doctor --lab` finds, and the acceptance suite."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from labctl.core.findings import Finding
from labctl.core.process import run
from labctl.lab.diagnose import find_mistakes, gather, media_mistakes, try_media
from labctl.lab.mistakes import Diagnosis
from labctl.lab.verify import suite_command
from labctl.training.checks.base import CheckContext

ATTEMPT_SECONDS = 3.0
"""One try: somebody waits for the answer, and can check again."""
OWN_WORK = (Finding.FILE_CHANGED,)
"""What a diagnosis calls a mistake and an exercise asks for: files that somebody changed."""
SUITE_SECONDS = 300.0


def check_health(context: CheckContext) -> Iterator[str]:
    """Every signal of readiness is seen, every bridge is in the brewery and carries sound.

    `except` has ids of mistakes that do not count; without `sound` nobody is let in to hear."""
    lab, progress = context.lab, context.progress
    skip = (*OWN_WORK, *context.given.get("except", ()))
    evidence = gather(lab, progress=progress, media=False)
    found = [one for one in find_mistakes(lab, evidence) if one.id not in skip]
    if not found and context.given.get("sound", True):
        # Where a bridge is missing, silence follows from it and takes time to be seen.
        heard = try_media(lab, seconds=0.0, progress=progress, attempt=ATTEMPT_SECONDS)
        found = list(media_mistakes(heard))
    yield from dict.fromkeys(_said(one) for one in found)


def _said(diagnosis: Diagnosis) -> str:
    """What is wrong, without the cure: finding that is the student's work."""
    return diagnosis.says


def check_acceptance(context: CheckContext) -> Iterator[str]:
    """Tests of the acceptance suite, by pytest's names for them, pass."""
    words = [str(word) for word in context.given["tests"]]
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "junit.xml"
        argv, env, cwd = suite_command(context.lab.folder, [*words, "-q", f"--junitxml={report}"])
        ended = run(argv, env=env, cwd=cwd, check=False, timeout=SUITE_SECONDS)
        if not report.is_file():
            yield f"The acceptance suite did not run: {last_line(ended.output + ended.errors)}"
            return
        yield from parse_failures(report.read_text(encoding="utf-8"))


def parse_failures(text: str) -> Iterator[str]:
    """A sentence for each test of a JUnit report that failed."""
    for case in ElementTree.fromstring(text).iter("testcase"):
        for kind in ("failure", "error"):
            failure = case.find(kind)
            if failure is not None:
                words = str(case.get("name", "")).removeprefix("test_").replace("_", " ")
                yield f"The acceptance test '{words}' fails: {last_line(failure.text or '')}"


def last_line(text: str) -> str:
    """The line of pytest's text that says what was wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    marked = [line.removeprefix("E").strip() for line in lines if line.startswith("E  ")]
    return (marked or lines or ["it says nothing"])[0 if marked else -1]
