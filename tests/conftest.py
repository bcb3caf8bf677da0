"""Fixtures of all tests: unit tests start no programs and open no sockets unless marked."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from labctl.waiting import set_patience

pytest_plugins = ["tests.disks"]

PROGRAMS = ("programs", "engine", "lab", "vm")
SOCKETS = ("sockets", "engine", "lab", "vm")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files of tests/golden anew"
    )


def is_marked(request: pytest.FixtureRequest, names: tuple[str, ...]) -> bool:
    return any(request.node.get_closest_marker(name) for name in names)


@pytest.fixture(autouse=True)
def _no_programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test that starts a program fails; mark those that mean to with `programs`."""
    if is_marked(request, PROGRAMS):
        return

    def refuse(*args: object, **_: object) -> NoReturn:
        command = args[1] if len(args) > 1 else "?"
        pytest.fail(f"this test is not marked 'programs', yet it starts {command}")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test that connects or binds fails; mark those that mean to with `sockets`."""
    if is_marked(request, SOCKETS):
        return

    class Refused(socket.socket):
        """A socket between two ends of this process (an event loop's) is fine, others are not."""

        def connect(self, address: object, /) -> NoReturn:
            pytest.fail(f"this test is not marked 'sockets', yet it connects to {address}")

        def bind(self, address: object, /) -> NoReturn:
            pytest.fail(f"this test is not marked 'sockets', yet it binds {address}")

    monkeypatch.setattr(socket, "socket", Refused)


@pytest.fixture(autouse=True)
def _state_apart(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Unit tests keep their hands off the user's state directory."""
    if is_marked(request, ("lab", "vm")):
        return
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture(autouse=True)
def _patience_of_its_own() -> Iterator[None]:
    """A lab's patience is the process's: one test's must not be the next one's."""
    yield
    set_patience(1.0)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def jms_image() -> str:
    """The image of role jms on stand-ins: it holds every program that reads what is rendered."""
    from labctl.docker.images import DOCKER_IMAGES
    from labctl.images import ensure_images
    from labctl.model import Packages, PackageSource, Role
    from labctl.progress import silent

    packages = Packages(source=PackageSource.STAND_INS)
    found = ensure_images([Role.JMS], packages, store=DOCKER_IMAGES, progress=silent)
    return found[Role.JMS]
