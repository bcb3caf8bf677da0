"""The site is built strictly and without a network, and loads nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.pages import DOCS, ROOT

pytestmark = [pytest.mark.programs, pytest.mark.slow]
CONFIG = ROOT / "mkdocs.yml"
WORDS = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(CONFIG)]
NO_NETWORK = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}


class _Loader(yaml.SafeLoader):
    """YAML with the names of functions that MkDocs knows."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site; proxies that nobody answers keep it from the network."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [*WORDS, "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, **NO_NETWORK, "no_proxy": "", "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Outside(HTMLParser):
    """What a page loads from elsewhere, and pictures without words."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.mute: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids.update(value for name, value in attrs if name == "id" and value)
        target = given.get("src") if tag != "link" else given.get("href")
        known = tag == "link" and given.get("rel") in ("canonical", "prev", "next")
        if target and not known and re.match(r"(https?:)?//", target):
            self.loads.append(target)
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "img" and not given.get("alt"):
            self.mute.append(str(target))


def parsed(page: Path) -> Outside:
    reader = Outside()
    reader.feed(page.read_text(encoding="utf-8"))
    return reader


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    read = {page: parsed(page) for page in site.rglob("*.html")}
    assert len(read) > 40
    assert {str(page): each.loads for page, each in read.items() if each.loads} == {}
    assert {str(page): each.mute for page, each in read.items() if each.mute} == {}
    styles = "".join(page.read_text(encoding="utf-8") for page in site.rglob("*.css"))
    assert not re.findall(r"url\(['\"]?https?:[^)]*", styles)


def test_links_within_the_site_lead_somewhere(site: Path) -> None:
    read = {page: parsed(page) for page in site.rglob("*.html") if page.name != "404.html"}
    broken = []
    for page, each in read.items():
        for link in each.links:
            target, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            there = (page.parent / target).resolve() if target else page
            if there.is_dir():
                there /= "index.html"
            if not there.is_file():
                broken.append(f"{page.relative_to(site)}: {link}")
            elif anchor and there in read and anchor not in read[there].ids:
                broken.append(f"{page.relative_to(site)}: {link} has no such heading")
    assert not broken


def test_pages_from_outside_and_the_reference_are_there(site: Path) -> None:
    assert "builds a multi-node Jitsi lab" in (site / "index.html").read_text(encoding="utf-8")
    assert "中文" in (site / "README.zh-CN.html").read_text(encoding="utf-8")
    verbs = (site / "reference" / "verbs.html").read_text(encoding="utf-8")
    assert 'id="labctl-drill-run"' in verbs
    drills = (site / "reference" / "drills.html").read_text(encoding="utf-8")
    assert 'id="bridge-kill-restart"' in drills
    statuses = (site / "reference" / "exit-statuses.html").read_text(encoding="utf-8")
    assert "<td>130</td>" in statuses


def test_diagrams_are_pictures(site: Path) -> None:
    page = (site / "explanation" / "visitors.html").read_text(encoding="utf-8")
    source, words = re.findall(r'<img class="diagram" src="([^"]+)" alt="([^"]+)"', page)[0]
    assert words == "The first visitor comes to a conference that is full"
    drawn = (site / "explanation" / source).read_text(encoding="utf-8")
    assert drawn.startswith("<svg") and "connect-vnode" in drawn


def nav_pages(items: Any) -> Iterator[str]:
    if isinstance(items, str):
        yield items
    elif isinstance(items, dict):
        yield from nav_pages(list(items.values()))
    else:
        for item in items:
            yield from nav_pages(item)


def test_every_page_is_in_the_navigation() -> None:
    text = CONFIG.read_text(encoding="utf-8")
    listed = list(nav_pages(yaml.load(text, Loader=_Loader)["nav"]))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    missing = sorted(pages - set(listed))
    hint = "put each below a heading of 'nav' in mkdocs.yml, as 'Words: folder/page.md'"
    assert not missing, f"{hint}: {', '.join(missing)}"
    assert len(listed) == len(set(listed)), "a page is in 'nav' twice"


def test_a_wrong_link_or_diagram_fails_the_build(tmp_path: Path) -> None:
    """The build is strict: a page that is broken is named."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[x](nowhere.md)\n", encoding="utf-8")
    config = tmp_path / "mkdocs.yml"
    config.write_text("site_name: x\ntheme: {name: material, font: false}\n", encoding="utf-8")
    words = [str(config) if word == str(CONFIG) else word for word in WORDS]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "nowhere.md" in done.stdout + done.stderr
