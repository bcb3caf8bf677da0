"""The files of a run: JUnit for CI servers, and the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from labctl.e2e.files import save_record
from labctl.e2e.junit import render_junit
from labctl.report.e2e import SpecRecord
from labctl.report.e2epage import MOST_PICTURES, read_pictures, render_e2e_page
from labctl.report.lines import Excerpt, LogLine
from tests.e2e.make import PNG, record_of
from tests.report.make import START
from tests.report.test_page import Page

LINE = LogLine(START + 1.5, True, "jms", "jicofo", "error", "<b> broke")


def with_lines(spec: SpecRecord) -> SpecRecord:
    return replace(spec, excerpt=Excerpt(START, START + 2, (LINE,), left_out=3))


def test_junit() -> None:
    root = ElementTree.fromstring(render_junit(record_of()))
    suites = {it.get("name"): it for it in root.iter("testsuite")}
    assert list(suites) == ["ui/preJoin", "ui/chat", "ui/kick", "misc/turn", "media/lastN"]
    case = suites["ui/chat"].find("testcase")
    assert case is not None
    assert (case.get("classname"), case.get("name")) == ("e2e.ui.chat", "Chat: opens")
    failure = case.find("failure")
    assert failure is not None
    assert (failure.get("message"), failure.text) == ("no <button>", "at some.Where")
    counts = {name: [it.get(key) for key in ("tests", "failures", "skipped")]
              for name, it in suites.items()}  # fmt: skip
    assert counts == {
        "ui/preJoin": ["1", "0", "0"],
        "ui/chat": ["1", "1", "0"],
        "ui/kick": ["1", "0", "0"],
        "misc/turn": ["1", "0", "1"],
        "media/lastN": ["1", "0", "1"],
    }
    said = {name: it.findtext("system-out") or "" for name, it in suites.items()}
    assert "[[ATTACHMENT|e2e/ui/chat/1/p1.png]]" in said["ui/chat"]
    assert said["ui/kick"] == "failed and was run again: No browser could be had: x"
    skipped = suites["media/lastN"].find("testcase/skipped")
    assert skipped is not None and skipped.get("message") == "opens 4 browsers at once"


def test_junit_of_a_spec_that_failed_as_a_whole() -> None:
    flaky = record_of().specs[2]
    broken = replace(flaky, attempts=flaky.attempts[:1])
    root = ElementTree.fromstring(render_junit(record_of(broken)))
    case = root.find("testsuite/testcase")
    assert case is not None and case.get("name") == "the spec as a whole"
    assert case.find("failure") is not None


def test_junit_holds_what_xml_can() -> None:
    failed = record_of().specs[1]
    attempts = tuple(
        replace(one, cases=tuple(replace(it, detail="a\x1b[31mb\x00") for it in one.cases))
        for one in failed.attempts
    )
    text = render_junit(record_of(replace(failed, attempts=attempts)))
    assert ElementTree.fromstring(text).findtext("testsuite/testcase/failure") == "a[31mb"


def test_the_page_shows_what_failed(tmp_path: Path) -> None:
    record = record_of()
    specs = tuple(with_lines(spec) if spec.failure else spec for spec in record.specs)
    picture = tmp_path / "e2e" / "ui" / "chat" / "1" / "p1.png"
    picture.parent.mkdir(parents=True)
    picture.write_bytes(PNG)
    save_record(replace(record, specs=specs, notes=("A <note>.",), stand_ins=("x",)), tmp_path)
    text = (tmp_path / "e2e.html").read_text()
    page = Page(text)
    said = " ".join(page.words)
    assert record.sentence in said
    for words in ("✕ failed: ui/chat", "! flaky: ui/kick", "no <button>", "A <note>.",
                  "<b> broke", "STAND-INS", "opens 4 browsers at once",
                  "No browser could be had: x"):  # fmt: skip
        assert words in said, words
    (image,) = [given for tag, given in page.elements if tag == "img"]
    assert (image["src"] or "").startswith("data:image/png;base64,")
    assert image["alt"] == "What p1 showed"
    assert "<script" not in text and 'src="http' not in text


def test_pictures_stay_in_their_folder_and_are_not_too_many(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (tmp_path / "other.png").write_bytes(PNG)
    failed = record_of().specs[1]
    names = [f"{number}.png" for number in range(MOST_PICTURES + 5)]
    for name in names:
        (folder / name).write_bytes(PNG)

    def found(*files: str) -> list[str]:
        attempts = (replace(failed.attempts[0], files=files),)
        return list(read_pictures(record_of(replace(failed, attempts=attempts)), folder))

    assert found("../other.png", "missing.png", "1.png") == ["1.png"]
    assert found(*names) == names[:MOST_PICTURES]


def test_the_verdict_of_a_page() -> None:
    record = record_of()
    whole = [("passed", record.specs[:1]), ("failed", record.bad), ("incomplete", record.specs[3:])]
    for look, specs in whole:
        assert f'class="verdict {look}"' in render_e2e_page(record_of(*specs), pictures={})
    stopped = record_of(*record.specs[:1], interrupted=True)
    assert 'class="verdict incomplete"' in render_e2e_page(stopped, pictures={})
