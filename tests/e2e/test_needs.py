"""What a suite needs of this machine, each thing that is missing with its cure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from labctl.core import process
from labctl.core.errors import LabError, UsageError
from labctl.e2e import needs
from labctl.e2e.suite import Suite, find_suite
from labctl.host.needs import Need
from tests.e2e.make import install, write_checkout

SAID = {
    "node": "v20.20.2\n",
    "chromium": "Chromium 156.0.8078.108 built on Debian GNU/Linux\n",
    "chromedriver": "ChromeDriver 156.0.8078.108 (730482a)\n",
}


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return find_suite(write_checkout(tmp_path))


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every program is there and prints its version; a test may change what it prints."""
    answers = dict(SAID)

    def run(argv: Sequence[str | Path], **_: object) -> process.Result:
        return process.Result((), 0, answers[Path(argv[0]).name])

    monkeypatch.setattr(process, "run", run)
    monkeypatch.setattr(Need, "find", lambda self: f"/usr/bin/{self.name}")
    return answers


def test_programs_and_versions(suite: Suite) -> None:
    found = needs.want_programs(suite)
    assert (found.node, found.chromium) == ("/usr/bin/node", "/usr/bin/chromium")
    assert found.versions == {
        "node": "20.20.2",
        "chromium": "156.0.8078.108",
        "chromedriver": "156.0.8078.108",
        "webdriverio": "9.27.0",
    }


def test_the_users_own_browser_goes_first(suite: Suite, tmp_path: Path) -> None:
    own = tmp_path / "chromium"
    own.write_text("")
    found = needs.want_programs(suite, chromium=own)
    assert (found.chromium, found.chromedriver) == (str(own), "/usr/bin/chromedriver")
    with pytest.raises(UsageError, match=r"'--chromedriver nowhere' is not a file"):
        needs.want_programs(suite, chromedriver=Path("nowhere"))


def test_all_that_is_missing_is_one_sentence(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Need, "find", lambda self: None if self.name != "node" else "/usr/bin/node")
    with pytest.raises(LabError) as caught:
        needs.want_programs(suite)
    message = "needs 'chromedriver' and 'chromium' and 'certutil', which this machine lacks"
    assert message in caught.value.message
    assert caught.value.hint is not None
    assert caught.value.hint.endswith("chromium-driver chromium libnss3-tools")


def test_packages_that_are_not_installed(tmp_path: Path) -> None:
    suite = find_suite(write_checkout(tmp_path, installed=False))
    with pytest.raises(LabError, match=r"packages of the suite .* are not installed") as caught:
        needs.want_programs(suite)
    assert caught.value.hint == f"Run: cd {tmp_path} && npm ci"


@pytest.mark.parametrize(("node", "old"), [("v18.19.1\n", True), ("v18.20.0\n", False)])
def test_a_node_that_is_too_old(
    node: str, said: dict[str, str], tmp_path: Path, *, old: bool
) -> None:
    root = write_checkout(tmp_path, installed=False)
    install(root, node=">=18.20.0")
    said["node"] = node
    if not old:
        assert needs.want_programs(find_suite(root)).versions["node"] == "18.20.0"
        return
    with pytest.raises(LabError) as caught:
        needs.want_programs(find_suite(root))
    assert caught.value.message == (
        "WebdriverIO 9.27.0 needs Node.js 18.20.0 or newer, this machine has 18.19.1."
    )


def test_a_driver_of_another_browser(suite: Suite, said: dict[str, str]) -> None:
    said["chromedriver"] = "ChromeDriver 155.0.1.2 (abc)\n"
    with pytest.raises(LabError, match=r"Chromium 156\S+ and chromedriver 155\S+ do not fit"):
        needs.want_programs(suite)
