"""What is read in a checkout without running it."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.errors import UsageError
from labctl.e2e.suite import Suite, choose_specs, find_suite, parse_spec
from tests.e2e.make import write_checkout

OURS = Path(__file__).with_name("suite")


@pytest.mark.parametrize("own_package", [False, True], ids=["whole checkout", "package in tests/"])
@pytest.mark.parametrize("inner", ["", "tests"], ids=["checkout", "its folder tests"])
def test_a_suite_is_found(inner: str, *, own_package: bool, tmp_path: Path) -> None:
    root = write_checkout(tmp_path, own_package=own_package)
    suite = find_suite(root / inner)
    assert suite.config == root / "tests" / "wdio.conf.ts"
    assert suite.package == (root / "tests" if own_package else root)
    assert suite.wdio.is_file()
    assert {spec.name: (spec.browsers, bool(spec.reason)) for spec in suite.specs} == {
        "jaas/chat": (1, True),
        "media/lastN": (4, False),
        "ui/chatPanel": (1, False),
        "ui/preJoin": (2, False),
    }


def test_of_two_packages_the_installed_one_is_used(tmp_path: Path) -> None:
    """A checkout whose root was installed, although its tests are a package of their own."""
    root = write_checkout(tmp_path, own_package=True, installed=False)
    assert find_suite(root).package == root / "tests"
    write_checkout(tmp_path, installed=True)
    assert find_suite(root).package == root


@pytest.mark.parametrize(
    ("text", "browsers", "reason"),
    [
        ("", 1, ""),
        ("usesBrowsers: [ 'p1', \"p2\", `p3` ]", 3, ""),
        ("usesBrowsers: [\n  'p1',\n  'p2'\n]", 2, ""),
        ("usesBrowsers: []", 1, ""),
        ("useJaas: true,\nusesBrowsers: [ 'p1', 'p2' ]", 2, "needs JaaS, which no lab has"),
        ("requireWebhookProxy: true", 1, "needs a webhook proxy, which no lab has"),
        ("useJaas: false, requireWebhookProxy: false", 1, ""),
    ],
)
def test_a_spec_declares_what_it_needs(text: str, browsers: int, reason: str) -> None:
    spec = parse_spec(text, "a", Path("a.spec.ts"))
    assert (spec.browsers, spec.reason) == (browsers, reason)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return find_suite(write_checkout(tmp_path))


@pytest.mark.parametrize(
    ("globs", "names"),
    [
        ((), ["jaas/chat", "media/lastN", "ui/chatPanel", "ui/preJoin"]),
        (("ui/*",), ["ui/chatPanel", "ui/preJoin"]),
        (("preJoin",), ["ui/preJoin"]),
        (("chat*",), ["jaas/chat", "ui/chatPanel"]),
        (("tests/specs/ui/preJoin.spec.ts",), ["ui/preJoin"]),
        (("lastN", "ui/chat*"), ["media/lastN", "ui/chatPanel"]),
    ],
    ids=str,
)
def test_specs_are_chosen(suite: Suite, globs: tuple[str, ...], names: list[str]) -> None:
    assert [spec.name for spec in choose_specs(suite, globs)] == names


def test_a_pattern_that_matches_nothing_is_named(suite: Suite) -> None:
    with pytest.raises(UsageError) as caught:
        choose_specs(suite, ("ui/*", "prejoin"))
    assert caught.value.message == "No spec of the suite matches 'prejoin'."
    assert caught.value.hint == "Did you mean 'preJoin'?"


def test_a_folder_without_a_suite_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no WebdriverIO suite"):
        find_suite(tmp_path)
    write_checkout(tmp_path)
    (tmp_path / "package.json").write_text("not json")
    with pytest.raises(UsageError, match="asks for '@wdio/cli'"):
        find_suite(tmp_path)
    write_checkout(tmp_path, installed=False)
    for path in (tmp_path / "tests" / "specs").rglob("*.spec.ts"):
        path.unlink()
    with pytest.raises(UsageError, match="has no specs below 'specs/'"):
        find_suite(tmp_path)


def test_our_own_suite_is_one() -> None:
    """The suite that the tests of labs run is laid out like jitsi-meet's."""
    found = {spec.name: spec.browsers for spec in find_suite(OURS).specs}
    assert found == {"call/two": 2, "ways/crowd": 3, "ways/fails": 1, "ways/flaky": 1}


def test_our_own_suite_names_no_registry() -> None:
    assert '"resolved"' not in (OURS / "package-lock.json").read_text()
