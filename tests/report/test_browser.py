"""The page in a real browser: on a phone, in the dark, on paper.

LABCTL_SCREENSHOTS names a folder for pictures to look at.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from labctl.lab.report import save_report
from labctl.report.model import ReportOutcome
from tests.report import browser as chrome
from tests.report.browser import Browser
from tests.report.make import report_of, test_of

pytestmark = [
    pytest.mark.programs,
    pytest.mark.sockets,
    pytest.mark.slow,
    pytest.mark.skipif(chrome.find() is None, reason="Debian's package chromium is not installed"),
]

SMALLEST_CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3, level AA."""

# Every text and its contrast against what is painted behind it; drawings stand on the page.
CONTRAST = """
(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const c = rgb(getComputedStyle(at).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const a = light(rgb(node.closest('svg') ? style.fill : style.color));
    const b = light(behind(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([ratio, walk.currentNode.data.trim().slice(0, 40)]);
  }
  return found;
})()
"""
TOO_WIDE = """
[...document.querySelectorAll('body *')]
  .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.tagName + '.' + e.className.toString()).slice(0, 5)
"""
SMALL_TEXT = """
[...document.querySelectorAll('svg text')].filter((e) => e.textContent && e.checkVisibility())
  .map((e) => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a)
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    long = "assert " + "a_long_word_without_a_place_to_break_" * 12
    bad = test_of(
        "test_a_" + "long_" * 30, ReportOutcome.FAILED, message=long, detail=f"{long}\nmore"
    )
    usual = report_of()
    report = report_of(
        *usual.run.tests, bad, test_of("test_none", ReportOutcome.SKIPPED, message="why")
    )
    save_report(report, folder, secrets=())
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chrome.chromium(tmp_path_factory.mktemp("profile")) as found:
        found.open(page)
        yield found


def keep(browser: Browser, name: str) -> None:
    if folder := os.environ.get("LABCTL_SCREENSHOTS"):
        browser.screenshot(Path(folder) / f"{name}.png")


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out(browser: Browser, width: int) -> None:
    browser.shape(width=width)
    browser.ask("document.querySelectorAll('details').forEach((it) => { it.open = true })")
    keep(browser, f"width-{width}")
    assert browser.ask(TOO_WIDE) == []
    assert browser.ask("document.documentElement.scrollWidth") <= width


def test_drawings_are_readable_on_a_phone(browser: Browser) -> None:
    browser.shape(width=390)
    assert min(browser.ask(SMALL_TEXT)) >= 8.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(browser: Browser, scheme: str) -> None:
    browser.shape(width=1280, scheme=scheme)
    keep(browser, f"scheme-{scheme}")
    found = browser.ask(CONTRAST)
    assert len(found) > 100
    assert [(f"{ratio:.1f}", text) for ratio, text in found if ratio < SMALLEST_CONTRAST] == []


def test_schemes_differ(browser: Browser) -> None:
    seen = []
    for scheme in ("light", "dark"):
        browser.shape(width=800, scheme=scheme)
        seen.append(browser.ask("getComputedStyle(document.body).backgroundColor"))
    assert seen[0] != seen[1]


def test_nothing_else_is_asked_for(browser: Browser, page: Path) -> None:
    assert {url for url in browser.requested if not url.startswith("about:")} == {page.as_uri()}


def test_it_can_be_read_without_sight(browser: Browser) -> None:
    browser.call("Accessibility.enable")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = [node["role"]["value"] for node in nodes if not node["ignored"]]
    assert {"main", "navigation", "heading", "table", "image"} <= set(roles)
    nameless = [
        node
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in ("image", "link", "heading", "DisclosureTriangle")
        and not node.get("name", {}).get("value")
    ]
    assert nameless == []
    assert browser.ask("document.documentElement.lang") == "en"


def test_paper(browser: Browser, page: Path, tmp_path: Path) -> None:
    """Closed parts are printed, too, but for what only a screen needs."""
    browser.open(page)
    browser.shape(width=1280, scheme="dark")
    path = tmp_path / "report.pdf"
    browser.pdf(path)
    if folder := os.environ.get("LABCTL_SCREENSHOTS"):
        shutil.copy(path, folder)
    data = path.read_bytes()
    assert data.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type /Page\b", data)) <= 8
    if (reader := shutil.which("pdftotext")) is None:
        return
    done = subprocess.run(
        [reader, "-layout", path, "-"], capture_output=True, text=True, check=True
    )
    assert "Skipped, and why" in done.stdout and "test_none: why" in done.stdout
    assert "What pytest says" not in done.stdout and "Failures (" not in done.stdout
