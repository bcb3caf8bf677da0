"""The page in a real browser: escaped, accessible, on a phone, in the dark, open for a day."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labctl.core.waiting import Deadline, wait_until
from labctl.live.model import LiveConference, Person
from labctl.live.source import Sample
from tests.live.make import AT, HOSTILE, FakeSource, make_broken, make_line, make_snapshot
from tests.live.serving import as_files, serving
from tests.report import browser as chrome
from tests.report.browser import Browser
from tests.report.make import DRILL

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chrome.find() is None, reason="Debian's package chromium is not installed"),
]

AXE = Path(__file__).with_name("axe")
LOAD = tuple(Sample(AT + 2 * i, i % 7, i % 3, 1, 0.1) for i in range(300))
WIDTHS = pytest.mark.parametrize("width", [320, 1280])
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


@pytest.fixture(scope="module")
def axe() -> str:
    """The text of axe-core, as npm brings it."""
    script = AXE / "node_modules" / "axe-core" / "axe.min.js"
    if not script.is_file():
        words = ["nice", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(words, cwd=AXE, check=True, capture_output=True, timeout=120)
    return script.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chrome.chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def wait_for(browser: Browser, expression: str) -> None:
    """Until the page has shown something new, and an expression is true in it."""
    fits: Callable[[], bool] = lambda: bool(browser.ask(expression))  # noqa: E731
    assert wait_until(fits, deadline=Deadline.after(40), interval=0.05), expression


def show(browser: Browser, url: str) -> None:
    browser.requested.clear()
    browser.go(url)
    wait_for(browser, "document.documentElement.dataset.polls > 1")


def records(folder: Path) -> None:
    """What drills and a trainer leave in the lab's folder."""
    (folder / "drills.json").write_text(json.dumps([DRILL.to_json()]))
    (folder / "exercise.md").write_text("# Join a bridge\n\n<b>by hand</b>\n")


@WIDTHS
@SCHEMES
@pytest.mark.parametrize("kind", ["fine", "broken", "large"])
def test_it_is_accessible_and_fits(
    browser: Browser, axe: str, tmp_path: Path, width: int, scheme: str, kind: str
) -> None:
    """No finding of axe-core, and nothing wider than the window, also with fifty bridges."""
    made = {"fine": make_snapshot, "broken": make_broken}
    snapshot = make_snapshot(jvbs=50, vnodes=16) if kind == "large" else made[kind]()
    records(tmp_path)
    browser.shape(width=width, scheme=scheme)
    with serving(FakeSource([snapshot], load=LOAD), tmp_path) as server:
        show(browser, server.listen.url)
        browser.run("for (const one of document.querySelectorAll('details')) one.open = true;")
        assert browser.ask("document.scrollingElement.scrollWidth <= window.innerWidth")
        browser.ask(axe + "; 0")
        found = browser.run("return (await axe.run()).violations;")
    told = [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
    assert told == []


def test_nothing_comes_from_elsewhere(browser: Browser, tmp_path: Path) -> None:
    records(tmp_path)
    browser.shape(width=1280)
    with serving(FakeSource([make_snapshot()]), tmp_path) as server:
        show(browser, server.listen.url)
        assert browser.requested
        assert all(url.startswith(server.listen.url) for url in browser.requested)


def test_names_from_strangers_stay_text(browser: Browser, tmp_path: Path) -> None:
    """Rooms, people and log lines are shown as they are, and make no element."""
    records(tmp_path)
    browser.shape(width=1280)
    with serving(FakeSource([make_broken()]), tmp_path) as server:
        show(browser, server.listen.url)
        assert browser.ask("document.querySelectorAll('img, b').length") == 0
        shown = HOSTILE.replace("\x1b", "\ufffd").replace("\u202e", "\ufffd")
        assert shown in browser.ask("document.getElementById('conferences').textContent")
        assert shown in browser.ask("document.getElementById('log').textContent")
        assert "<b>by hand</b>" in browser.ask("document.getElementById('exercise').textContent")


def test_it_says_what_is_where(browser: Browser, tmp_path: Path) -> None:
    records(tmp_path)
    browser.shape(width=1280)
    with serving(FakeSource([make_broken()], load=LOAD), tmp_path) as server:
        show(browser, server.listen.url)
        text = browser.ask("document.body.innerText")
        drawn = {
            name: browser.ask(f"document.querySelectorAll('#map {name}').length")
            for name in ("line.broken", ".chip", ".chip.bad", "rect.stale", "rect.silent")
        }
    # 'jvb1' is not in the brewery, 'jvb2' is stale; of three vnodes on a silent node one works.
    assert list(drawn.values()) == [1, 3, 2, 1, 1]
    for words in (
        "NOT healthy: 2 missing. Drill 'bridge-hang' is not over.",
        "jvb2 answers: no answer within 6 s",
        "STALE 31 s",
        "NOT in the brewery",
        "STAND-INS",
        "Now 5 participants",
        "And 7 more.",
        DRILL.verdict,
    ):
        assert words in text


def test_keys_are_enough(browser: Browser, tmp_path: Path) -> None:
    """Tab reaches a button, Enter shows the log, and the focus stays while figures change."""
    lines = (make_line("of the bridge", node="jvb1"), make_line("of the JMS"))
    with serving(FakeSource([make_snapshot(lines=lines)]), tmp_path) as server:
        show(browser, server.listen.url)
        browser.ask("document.querySelectorAll('#nodes button')[0].focus()")
        press(browser, "Tab")
        focused = "document.activeElement.textContent"
        assert browser.ask(focused) == "Log of jvb1"
        polls = browser.ask("Number(document.documentElement.dataset.polls)")
        wait_for(browser, f"document.documentElement.dataset.polls > {polls + 2}")
        assert browser.ask(focused) == "Log of jvb1"
        press(browser, "Enter")
        assert browser.ask("document.activeElement.id") == "log-title"
        assert browser.ask("document.getElementById('log').textContent").endswith("of the bridge")


def press(browser: Browser, key: str) -> None:
    text = {"text": "\r"} if key == "Enter" else {}
    codes = {"Tab": 9, "Enter": 13}
    for kind in ("keyDown", "keyUp"):
        given: dict[str, Any] = text if kind == "keyDown" else {}
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=codes[key], **given
        )


def test_a_server_that_has_gone_is_told(browser: Browser, tmp_path: Path) -> None:
    with serving(FakeSource([make_snapshot()]), tmp_path) as server:
        show(browser, server.listen.url)
    wait_for(browser, "!document.getElementById('link').hidden")
    assert "does not answer" in browser.ask("document.getElementById('link').textContent")


@WIDTHS
def test_the_class_sees_the_same_page_below_a_path(
    browser: Browser, axe: str, tmp_path: Path, width: int
) -> None:
    """From files, as nginx has them: nothing is asked for elsewhere, and who is where is said."""
    records(tmp_path)
    browser.shape(width=width)
    browser.go("about:blank")
    with as_files(FakeSource([make_snapshot()], load=LOAD), tmp_path) as shown:
        show(browser, shown.url)
        # The browser looks for an icon by itself.
        asked = {url for url in browser.requested if not url.endswith("/favicon.ico")}
        assert asked and all(url.startswith(shown.url) for url in asked)
        assert browser.ask("document.getElementById('link').hidden")
        browser.run("for (const one of document.querySelectorAll('details')) one.open = true;")
        text = browser.ask("document.body.innerText")
        assert browser.ask("document.scrollingElement.scrollWidth <= window.innerWidth")
        browser.ask(axe + "; 0")
        assert browser.run("return (await axe.run()).violations;") == []
    assert "demo: abcd0000, abcd0001, abcd0002, abcd0003" in text
    assert "1950 known" in text and "demo: abcd0003" in text and "and 1949 more" in text
    assert "abcd0003 (visitor on v1), abcd0004 (visitor)" in text
    assert "Join a bridge" in text


def test_a_class_is_told_that_what_it_sees_is_old(browser: Browser, tmp_path: Path) -> None:
    """By the server's own clock: the browser's may be wrong."""
    link = "document.getElementById('link')"
    with as_files(FakeSource([make_snapshot()]), tmp_path) as shown:
        show(browser, shown.url)
        assert browser.ask(f"{link}.hidden")
        shown.age(60)
        wait_for(browser, f"!{link}.hidden")
        assert "s old: 'labctl serve' has ended" in browser.ask(f"{link}.textContent")
        shown.age(0)
        wait_for(browser, f"{link}.hidden")
        shown.replace_by_a_room()
        wait_for(browser, f"!{link}.hidden")
        assert "does not answer" in browser.ask(f"{link}.textContent")


def test_a_tab_that_stays_open_does_not_grow(browser: Browser, tmp_path: Path) -> None:
    """Hundreds of states, each with other rooms, people and lines: as many elements as before."""
    source = FakeSource([changing(index) for index in range(50)] * 40, load=LOAD)
    with serving(source, tmp_path, poll_seconds=0.005) as server:
        show(browser, server.listen.url)
        wait_for(browser, "document.documentElement.dataset.polls > 30")
        first = measure(browser)
        wait_for(browser, "document.documentElement.dataset.polls > 150")
        last = measure(browser)
        assert source.shown > 140
    assert last["Nodes"] <= first["Nodes"] * 1.1 + 50
    assert last["JSEventListeners"] <= first["JSEventListeners"] + 5
    assert last["JSHeapUsedSize"] <= first["JSHeapUsedSize"] * 1.25 + 500_000


def changing(index: int) -> Any:
    rooms = tuple(
        LiveConference(f"room-{index}-{i}", 3, 1, {"jvb1": 3}, (Person(f"id{index}", "jvb1"),))
        for i in range(index % 7)
    )
    lines = tuple(make_line(f"line {index} {i}", at=AT + index + i / 300) for i in range(60))
    return replace(make_snapshot(jvbs=2 + index % 3), conferences=rooms, lines=lines)


def measure(browser: Browser) -> dict[str, float]:
    browser.call("HeapProfiler.collectGarbage")
    browser.call("Performance.enable")
    found = browser.call("Performance.getMetrics")["metrics"]
    return {one["name"]: one["value"] for one in found}
