"""Fixtures of all tests: unit tests start no programs and open no sockets unless marked."""

from __future__ import annotations

import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import ifaddr  # noqa: F401  its first import starts ldconfig, in whatever test that happens
import pytest

pytest_plugins = [
    "tests.disks",
    "tests.lanes",
    "tests.fakes.engines",
    "tests.fakes.nodes",
    "tests.fakes.lab",
    "tests.fakes.wdio",
]

PROGRAMS = ("programs", "browser", "engine", "lab", "vm")
SOCKETS = ("sockets", "browser", "engine", "lab", "vm")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files of tests/golden anew"
    )


def pytest_configure() -> None:
    """A shell starts what it puts into the background with Ctrl-C ignored, and tests press it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
def _idle_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit test's deadlines do not depend on what else this machine does."""
    if not is_marked(request, ("lab", "vm")):
        monkeypatch.setattr("labctl.topology.lab.measure_crowding", lambda: 1.0)


@pytest.fixture(scope="session")
def runtime() -> Iterator[Path]:
    """A folder for sockets: pytest's own have paths that are too long for them."""
    with tempfile.TemporaryDirectory(prefix="lt-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _state_apart(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
    runtime: Path,
) -> None:
    """Unit tests keep their hands off the user's state directory and leave no sockets."""
    if is_marked(request, ("lab", "vm")):
        return
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's root."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def jms_image() -> str:
    """The image of role jms on stand-ins: it holds every program that reads what is rendered."""
    return _image("jms")


@pytest.fixture(scope="session")
def monitoring_image() -> str:
    """The image of role monitoring: it holds Prometheus and its promtool."""
    return _image("monitoring")


def _image(name: str) -> str:
    from labctl.core.progress import silent
    from labctl.images.make import ensure_images
    from labctl.providers.docker.images import DOCKER_IMAGES
    from labctl.topology.spec import Packages, PackageSource, Role

    packages, role = Packages(source=PackageSource.STAND_INS), Role(name)
    return ensure_images([role], packages, store=DOCKER_IMAGES, progress=silent)[role]
