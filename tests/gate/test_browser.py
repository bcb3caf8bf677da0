"""The gate's page in a real browser: what the first screen has, on a phone, in the dark.

LABCTL_SCREENSHOTS names a folder for pictures to look at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from labctl.gate.compare import judge_gate
from labctl.gate.contents import PackageContents
from labctl.gate.measures import Load
from labctl.gate.model import Gate
from labctl.gate.page import render_page
from tests.gate.sides import UPS, finding_storm, slower
from tests.gate.test_resources import LEVEL, series
from tests.gate.test_soak import soak
from tests.report import browser as chrome
from tests.report.browser import Browser
from tests.report.test_browser import CONTRAST, SMALL_TEXT, SMALLEST_CONTRAST, TOO_WIDE

pytestmark = [
    pytest.mark.programs,
    pytest.mark.sockets,
    pytest.mark.slow,
    pytest.mark.skipif(chrome.find() is None, reason="Debian's package chromium is not installed"),
]

BOTTOM = "(selector) => document.querySelector(selector).getBoundingClientRect().bottom"
NAMES = ("jicofo", "jitsi-meet-prosody", "jitsi-meet-web", "jitsi-meet-web-config",
         "jitsi-videobridge2")  # fmt: skip


def contents(version: str) -> dict[str, PackageContents]:
    return {
        name: PackageContents(
            version,
            {"Depends": (f"openjdk-{version}-jre-headless", "debconf")},
            {f"/usr/share/{name}/{'long-' * 20}{n}.jar": version for n in range(100)},
            {f"/etc/{name}.conf": version},
            {"postinst": f"#!/bin/sh\n# {version}\n{'word ' * 60}\n"},
        )
        for name in NAMES
    }


def whole_gate() -> Gate:
    """A gate that has everything that a page can show."""
    storm = finding_storm()
    assert storm.baseline is not None
    load = Load(30.0, 2, 0.2, pressure=0.4)
    new = replace(
        storm.candidate,
        packages=dict.fromkeys(NAMES, "1.0-1196-1~bpo13+1"),
        ups=tuple(replace(up, load=load) for up in slower((*UPS, *UPS), 4)),
        contents=contents("2"),
        resources=series(*(3 * v for v in LEVEL)),
        soak=soak(100),
        stand_ins=("jicofo",),
        logs=tuple(replace(it, reason="why " * 20) for it in storm.candidate.logs or ())
        + (storm.candidate.logs or ()),
    )
    old = replace(
        storm.baseline,
        packages=dict.fromkeys(NAMES, "1.0-1173-1~bpo13+1"),
        ups=tuple(replace(up, load=load) for up in (*UPS, *UPS)),
        contents=contents("1"),
        resources=series(*LEVEL),
        soak=soak(0),
    )
    return judge_gate(new, old, seconds=1830.0)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("gate") / "gate.html"
    file.write_text(render_page(whole_gate()), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def browser(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chrome.chromium(tmp_path_factory.mktemp("profile")) as found:
        found.open(page)
        yield found


def keep(browser: Browser, name: str) -> None:
    if folder := os.environ.get("LABCTL_SCREENSHOTS"):
        browser.screenshot(Path(folder) / f"gate-{name}.png")


def test_first_screen_has_verdict_reasons_packages_and_timings(browser: Browser) -> None:
    browser.shape(width=1280)
    keep(browser, "first")
    for selector in (".verdict", ".first table", ".first svg"):
        assert browser.ask(f"({BOTTOM})('{selector}')") <= 900, selector
    assert browser.ask("document.querySelectorAll('.why li').length") >= 3
    assert browser.ask("document.querySelectorAll('.first svg .pair').length") >= 12
    assert browser.ask("document.querySelectorAll('details[open]').length") == 0


def test_drawing_needs_no_colour_and_says_what_it_shows(browser: Browser) -> None:
    said = browser.ask("document.querySelector('.first svg').getAttribute('aria-label')")
    assert "ready: 5.2 → 9.2 s, slower" in said


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out(browser: Browser, width: int) -> None:
    browser.shape(width=width)
    browser.ask("document.querySelectorAll('details').forEach((it) => { it.open = true })")
    keep(browser, f"width-{width}")
    assert browser.ask("document.documentElement.scrollWidth") <= width
    # Wide tables scroll in a box of their own.
    boxed = "(e) => !e.closest('.scroll') || e.classList.contains('scroll')"
    assert browser.ask(TOO_WIDE.replace(".filter(", f".filter({boxed}).filter(", 1)) == []


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


def test_nothing_else_is_asked_for(browser: Browser, page: Path) -> None:
    assert {url for url in browser.requested if not url.startswith("about:")} == {page.as_uri()}
