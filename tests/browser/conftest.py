"""One Chromium for all tests of the page, against a server on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from labctl.browser import open_chromium
from labctl.browser.pages import open_page
from labctl.browser.session import Chromium
from labctl.crowd.sync import wait
from tests.crowd.fakexmpp import FakeXmpp, running

OFFER = Path(__file__).with_name("session-initiate.xml")


@pytest.fixture(scope="package")
def server() -> FakeXmpp:
    return FakeXmpp(invite=False)


@pytest.fixture(scope="package")
def chromium(server: FakeXmpp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A Chromium that finds the server and trusts its CA."""
    door = running(server, tmp_path_factory.mktemp("server"))
    browser = open_chromium(wait(door.__aenter__()))
    try:
        yield wait(browser.__aenter__())
        wait(browser.__aexit__(None, None, None))
    finally:
        wait(door.__aexit__(None, None, None))


class Script:
    """Runs JavaScript in a page of ours."""

    def __init__(self, chromium: Chromium) -> None:
        self.complaints: list[str] = []
        self._page = wait(open_page(chromium, complain=self.complaints.append))

    def run(self, body: str, **words: Any) -> Any:
        """The value of the function's body; it has the page's modules and `words` by name."""
        modules = ["caps", "gaps", "jingle", "lines", "sdp", "session", "sources", "xml"]
        imports = "".join(
            f"const {name} = await import('/labctl-participant/{name}.js');" for name in modules
        )
        names = f"const {{{', '.join(words)}}} = words;"
        return wait(self._page.evaluate(f"async words => {{{imports}{names}{body}}}", words))

    def close(self) -> None:
        wait(self._page.context.close())


@pytest.fixture
def script(chromium: Chromium) -> Iterator[Script]:
    made = Script(chromium)
    yield made
    made.close()
    assert made.complaints == []
