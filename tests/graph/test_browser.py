"""The SVG in a real Chromium: readable in both schemes, and nothing is asked for.

LABCTL_SCREENSHOTS names a folder for pictures to look at.  LABCTL_MERMAID names the file
mermaid.min.js of Mermaid's npm package, which then draws what we write for it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from labctl.graph import make_picture
from labctl.graph.mermaid import render_mermaid
from labctl.graph.svg import render_svg
from labctl.topology.layout import resolve
from tests.graph.test_writers import SPECS
from tests.report import browser as chrome
from tests.report.browser import Browser

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(chrome.find() is None, reason="Debian's package chromium is not installed"),
]
SMALLEST_CONTRAST = {"text": 4.5, "line": 3.0}
"""WCAG 2.2, success criteria 1.4.3 and 1.4.11, level AA."""

CONTRAST = """
(() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const fill = (query) => light(rgb(getComputedStyle(document.querySelector(query)).fill));
  const papers = [fill('.paper'), fill('.node')];
  const least = (query, key) => Math.min(...[...document.querySelectorAll(query)].map((e) =>
    Math.min(...papers.map((paper) => ratio(light(rgb(getComputedStyle(e)[key])), paper)))));
  return {text: least('text', 'fill'), line: least('.lane', 'stroke')};
})()
"""
# A text must end where its box does.
TOO_WIDE = """
(() => {
  const boxes = [...document.querySelectorAll('.node')].map((e) => e.getBBox());
  const whole = document.documentElement.viewBox.baseVal;
  return [...document.querySelectorAll('text')].filter((e) => {
    const at = e.getBBox();
    const home = boxes.find((b) => b.y <= at.y && at.y < b.y + b.height &&
      b.x <= at.x + at.width / 2 && at.x + at.width / 2 < b.x + b.width) ?? whole;
    return at.x < home.x || at.x + at.width > home.x + home.width;
  }).map((e) => e.textContent);
})()
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chrome.chromium(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["default", "large"])
def test_readable(page: Browser, tmp_path: Path, name: str, scheme: str) -> None:
    file = tmp_path / f"graph-{name}.svg"
    file.write_text(render_svg(make_picture(resolve(SPECS[name]))), encoding="utf-8")
    page.shape(width=1200, scheme=scheme)
    page.requested.clear()
    page.open(file)
    found = page.ask(CONTRAST)
    assert found["text"] >= SMALLEST_CONTRAST["text"]
    assert found["line"] >= SMALLEST_CONTRAST["line"]
    assert page.ask(TOO_WIDE) == []
    assert set(page.requested) <= {file.as_uri()}
    if folder := os.environ.get("LABCTL_SCREENSHOTS"):
        page.screenshot(Path(folder) / f"graph-{name}-{scheme}.png")


@pytest.mark.skipif("LABCTL_MERMAID" not in os.environ, reason="LABCTL_MERMAID is not set")
@pytest.mark.parametrize("name", SPECS)
def test_mermaid_draws_it(page: Browser, tmp_path: Path, name: str) -> None:
    text = json.dumps(render_mermaid(make_picture(resolve(SPECS[name])))).replace("<", "\\u003c")
    shutil.copy(os.environ["LABCTL_MERMAID"], tmp_path / "mermaid.js")
    (tmp_path / "page.html").write_text(
        f"<script src='mermaid.js'></script><body><script>mermaid.render('g', {text})"
        ".then((it) => { document.title = `drawn ${it.svg.length}`; })"
        ".catch((it) => { document.title = `refused ${it}`; });</script>",
        encoding="utf-8",
    )
    page.open(tmp_path / "page.html")
    end = monotonic() + 20
    while not (title := str(page.ask("document.title"))) and monotonic() < end:
        pass
    assert title.startswith("drawn ")
