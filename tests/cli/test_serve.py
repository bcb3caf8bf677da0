"""`labctl serve`: where it listens, and that it ends."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from labctl.cli import serve
from labctl.cli.main import cli
from labctl.core.errors import LabError, UsageError
from labctl.live import publish, source
from labctl.live.model import Advice
from labctl.live.site import Site
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from tests.live.make import make_snapshot


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    folder = Workdir.of("demo", root=tmp_path)
    folder.path.mkdir(parents=True)
    found = Lab(folder, resolve(Spec(lab="demo", jvbs=0, visitors=0)))
    monkeypatch.setattr(serve, "load_lab", lambda _: found)
    return found


def test_others_must_be_allowed(lab: Lab) -> None:
    with pytest.raises(UsageError, match="everybody"):
        cli(["serve", "--listen", "0.0.0.0:8056"], standalone_mode=False)


@pytest.mark.sockets
def test_a_foreign_network_is_not_followed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise LabError("No interface owns it.")

    monkeypatch.setattr(source, "prove_local", refuse)
    with pytest.raises(LabError, match="No interface"):
        cli(["serve", "--listen", "0"], standalone_mode=False)


@pytest.mark.sockets
def test_a_class_is_told_its_address(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is published while it is served, and no longer."""
    seen, shown = [], []
    cure = Advice("jvb1", "It is closed.", "Open it.", "x.md")

    class Recorded:
        def __init__(self, found: Lab, site: Site) -> None:
            state = site.find("/api/state")
            shown.append(found is lab and state is not None and b'"advice":[]' in state.data)

        def __enter__(self) -> None:
            seen.append("begins")

        def __exit__(self, *_: object) -> None:
            seen.append("ends")

    monkeypatch.setattr(source.LiveLab, "__enter__", lambda self: self)
    monkeypatch.setattr(source.LiveLab, "__exit__", lambda *_: seen.append("lab ends"))
    monkeypatch.setattr(source.LiveLab, "snapshot", lambda _: make_snapshot(advice=(cure,)))
    monkeypatch.setattr(publish, "Publisher", Recorded)
    ident = threading.main_thread().ident
    threading.Timer(0.3, signal.pthread_kill, (ident, signal.SIGTERM)).start()
    result = CliRunner().invoke(cli, ["serve", "--listen", "0", "--class"], standalone_mode=False)
    assert result.exception is None
    assert "\nhttps://meet.lab.internal/lab/\n" in result.output
    assert shown == [True]
    assert seen == ["begins", "ends", "lab ends"]


@pytest.mark.sockets
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_ends(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM both end it in order."""
    monkeypatch.setattr(source.LiveLab, "__enter__", lambda self: self)
    monkeypatch.setattr(source.LiveLab, "__exit__", lambda *_: None)
    threading.Timer(0.3, signal.pthread_kill, (threading.main_thread().ident, number)).start()
    result = CliRunner().invoke(cli, ["serve", "--listen", "0"], standalone_mode=False)
    assert result.exception is None
    assert result.output.startswith("http://127.0.0.1:") and "Ended." in result.output
