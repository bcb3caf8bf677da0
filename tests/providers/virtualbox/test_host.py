"""Whether a machine can run VirtualBox for labctl."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.core.checks import CheckStatus
from labctl.providers.virtualbox.host import (
    check_virtualbox,
    compatibility_problem,
    find_problem,
    parse_version,
)
from labctl.providers.virtualbox.messages import NO_DRIVER, NOT_INSTALLED

RECORDED = Path(__file__).with_name("recorded")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ((RECORDED / "version-wrapped.txt").read_text(), (7, 2, 22)),
        ("7.0.26r168464\n", (7, 0, 26)),
        ("6.1.50_Ubuntur161033\n", (6, 1, 50)),
        ("Vagrant 2.3.4\n", (2, 3, 4)),
        ("Please install something.\n", None),
    ],
)
def test_versions_are_found_after_warnings(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("version", "vagrant", "said"),
    [
        ((7, 0, 26), (2, 3, 4), None),
        ((7, 1, 8), (2, 4, 2), None),
        ((7, 2, 2), (2, 4, 9), None),
        # Nobody knows yet which Vagrant takes it: Vagrant itself will say.
        ((7, 3, 0), (2, 4, 9), None),
        ((6, 1, 50), (2, 3, 4), "VirtualBox 6.1.50 is too old."),
        ((7, 2, 22), (2, 3, 4), "Vagrant 2.3.4 does not support VirtualBox 7.2.22."),
        ((7, 1, 0), (2, 3, 7), "Vagrant 2.3.7 does not support VirtualBox 7.1.0."),
        ((7, 0, 0), (2, 2, 19), "Vagrant 2.2.19 does not support VirtualBox 7.0.0."),
    ],
)
def test_versions_must_fit_each_other(
    version: tuple[int, int, int], vagrant: tuple[int, int, int], said: str | None
) -> None:
    problem = compatibility_problem(version, vagrant=vagrant, driver=True)
    assert (problem.message if problem else None) == said


def test_the_hint_names_versions_that_fit() -> None:
    problem = compatibility_problem((7, 2, 22), vagrant=(2, 4, 3), driver=True)
    assert problem is not None
    assert problem.hint == "Install Vagrant 2.4.9 or newer, or VirtualBox 7.1."


def test_without_its_driver_virtualbox_is_of_no_use() -> None:
    assert compatibility_problem((7, 0, 26), vagrant=(2, 3, 4), driver=False) == NO_DRIVER


@pytest.mark.programs
def test_a_machine_without_virtualbox_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_problem() == NOT_INSTALLED
    (check,) = check_virtualbox()
    assert check.status is CheckStatus.FAIL
    assert "--provider" in (check.hint or "")
