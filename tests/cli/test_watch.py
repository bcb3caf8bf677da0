"""`labctl watch`: the view by its own driver and in a terminal, and what it prints without one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from textual.pilot import Pilot
from textual.widgets import RichLog, Static

from labctl.cli import watch, watchapp
from labctl.cli.main import cli
from labctl.cli.watchapp import DARK, LIGHT, Grid, Visit, WatchApp, choose_theme
from labctl.core.errors import UsageError
from labctl.live import source as live_source
from labctl.live.model import Snapshot
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.workdir import Workdir
from tests.live.make import FakeSource, make_bridge, make_broken, make_line, make_snapshot
from tests.live.terminal import Terminal, terminal

Play = Callable[[WatchApp, Pilot[None]], Awaitable[None]]


@pytest.fixture(autouse=True)
def _when_a_test_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The view looks again when a test makes it, and not while a slow machine plays its keys."""
    monkeypatch.setattr(watchapp, "REFRESH_SECONDS", 3600.0)


def play(
    *snapshots: Snapshot, steps: Play, theme: str = DARK, size: tuple[int, int] = (80, 24)
) -> list[tuple[Visit, str]]:
    """Run the view without a terminal, and note where the user went."""
    visits: list[tuple[Visit, str]] = []

    async def run() -> None:
        source = FakeSource(snapshots)
        app = WatchApp(source, go=lambda what, node: visits.append((what, node)), theme=theme)
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await steps(app, pilot)

    asyncio.run(run())
    return visits


def cells(app: WatchApp, table: str) -> list[list[str]]:
    grid = app.query_one(f"#{table}", Grid)
    return [[str(cell) for cell in grid.get_row_at(row)] for row in range(grid.row_count)]


def head(app: WatchApp) -> str:
    return str(app.query_one("#head", Static).render())


def log(app: WatchApp) -> list[str]:
    return [strip.text.rstrip() for strip in app.query_one("#log", RichLog).lines]


def test_everything_is_there() -> None:
    async def steps(app: WatchApp, pilot: Pilot[None]) -> None:
        assert "Lab 'demo': healthy" in head(app) and "STAND-INS" in head(app)
        assert [row[0] for row in cells(app, "nodes")] == ["jms", "jvb1", "jvb2", "visitors1"]
        assert cells(app, "bridges")[1] == [
            "jvb1", "operational", "0.25", "1", "4", "2.5 Mb/s", "7.5 Mb/s",
            "abcd0000, abcd0001, abcd0002, 1 more",
        ]  # fmt: skip
        assert cells(app, "vnodes")[7] == ["v8", "registered", "8", "1/0", "visitors1", "-"]
        assert cells(app, "conferences")[0][1:] == ["5", "2", "jvb1 5"]
        assert log(app)[-1].endswith("jms jicofo: WARNING: Lost a bridge")
        assert not app.query_one("#missing").display

    play(make_snapshot(), steps=steps)


def test_what_changes_is_shown_and_the_cursor_stays() -> None:
    """A bridge goes, another comes: the row under the cursor is the same as before."""
    first = make_snapshot(jvbs=3)
    kept = [it for it in first.bridges if it.nick != "jvb1"]
    kept[1] = replace(kept[1], stress=0.9)
    later = replace(first, bridges=(*kept, make_bridge("jvb4")))

    async def steps(app: WatchApp, pilot: Pilot[None]) -> None:
        grid = app.query_one("#bridges", Grid)
        grid.focus()
        await pilot.press("down", "down")
        assert grid.node() == "jvb2"
        app.refresh_view()
        await pilot.pause()
        assert grid.node() == "jvb2"
        assert [row[0] for row in cells(app, "bridges")] == ["jvb", "jvb2", "jvb3", "jvb4"]
        assert cells(app, "bridges")[1][2] == "0.90"

    play(first, later, steps=steps)


def test_what_is_missing_comes_first() -> None:
    async def steps(app: WatchApp, pilot: Pilot[None]) -> None:
        block = app.query_one("#missing", Static)
        assert block.display and "jvb2 answers: no answer within 6 s" in str(block.render())
        assert "drill 'bridge-hang' is not over" in head(app)
        assert cells(app, "nodes")[2][1] == "STALE 31 s"

    play(make_broken(), steps=steps)


def test_much_that_is_missing_leaves_room() -> None:
    async def steps(app: WatchApp, pilot: Pilot[None]) -> None:
        lines = str(app.query_one("#missing", Static).render()).splitlines()
        assert len(lines) == 4 and lines[-1] == "and 47 more: 'labctl status'"
        assert app.query_one("#nodes").region.height > 0

    missing = {f"jvb{index} answers": "no" for index in range(50)}
    play(make_snapshot(healthy=False, missing=missing), steps=steps)


def test_names_from_strangers_are_text() -> None:
    """No markup of Rich or Textual, no sequences for the terminal, nothing too wide."""

    async def steps(app: WatchApp, pilot: Pilot[None]) -> None:
        room = cells(app, "conferences")[0][0]
        assert room.startswith("<img src=x onerror=alert(1)>\ufffd[2J\ufffd") and len(room) <= 44
        assert "\x1b" not in "".join(log(app))
        assert log(app)[-1].endswith("[bold]x[/bold] [@click=app.quit]y[/]")

    broken = make_broken()
    line = make_line("[bold]x[/bold] [@click=app.quit]y[/]")
    play(replace(broken, lines=(*broken.lines, line)), steps=steps)


def test_fifty_bridges_can_be_reached() -> None:
    async def steps(app: WatchApp, pilot: Pilot[None]) -> None:
        grid = app.query_one("#bridges", Grid)
        grid.focus()
        await pilot.press("ctrl+end")
        assert grid.node() == "jvb50"
        await pilot.press("tab")
        assert app.focused is app.query_one("#vnodes")

    play(make_snapshot(jvbs=50), steps=steps)


def test_the_log_of_one_node() -> None:
    lines = (make_line("of the JMS"), make_line("of the bridge", node="jvb1"))

    async def steps(app: WatchApp, pilot: Pilot[None]) -> None:
        await pilot.press("down", "f")
        assert [line.rpartition(": ")[2] for line in log(app)] == ["of the bridge"]
        assert app.query_one("#log").border_title == "Log of jvb1"
        await pilot.press("f")
        assert len(log(app)) == 2 and app.query_one("#log").border_title == "Log"

    play(make_snapshot(lines=lines), steps=steps)


def test_themes() -> None:
    async def steps(app: WatchApp, pilot: Pilot[None]) -> None:
        assert app.theme == LIGHT
        await pilot.press("t")
        assert app.theme == DARK
        assert cells(app, "nodes")[0][0] == "jms"

    play(make_snapshot(), steps=steps, theme=LIGHT)


@pytest.mark.parametrize(
    ("wanted", "environment", "theme"),
    [
        ("auto", {}, DARK),
        ("auto", {"COLORFGBG": "0;15"}, LIGHT),
        ("auto", {"COLORFGBG": "0;default;15"}, LIGHT),
        ("auto", {"COLORFGBG": "15;0"}, DARK),
        ("dark", {"COLORFGBG": "0;15"}, DARK),
        ("light", {}, LIGHT),
    ],
)
def test_the_theme_that_fits(wanted: str, environment: Mapping[str, str], theme: str) -> None:
    assert choose_theme(wanted, environment=environment) == theme


def test_a_conference_has_no_shell() -> None:
    async def steps(app: WatchApp, pilot: Pilot[None]) -> None:
        app.query_one("#conferences", Grid).focus()
        await pilot.press("s", "l")

    assert play(make_snapshot(), steps=steps) == []


def looks_dark(seen: Terminal) -> bool:
    color = seen.background("of them 2 visitors")
    return sum(int(color[i : i + 2], 16) for i in (0, 2, 4)) < 3 * 128


@pytest.mark.programs
@pytest.mark.parametrize(("theme", "is_dark"), [("dark", True), ("light", False)])
def test_a_terminal_of_80_by_24(theme: str, is_dark: bool) -> None:
    """In a terminal: the view fits, a key leads to a shell and back, another one ends it."""
    with terminal("tests.live.pretend", theme) as seen:
        for words in ("Lab 'demo': healthy", "2 visitors", "Bridges", "Lost a bridge", "q Quit"):
            seen.see(words)
        seen.wait_for(lambda _: looks_dark(seen) is is_dark, what="its colour")
        seen.press("\x1b[B")
        seen.press("s")
        seen.see("here is the shell of jvb1")
        seen.press("\n")
        seen.press("l")
        seen.see("here is the logs of jvb1")
        seen.press("\x03")  # it ends what is visited, and not the view
        seen.press("\n")
        seen.see("q Quit")
        seen.press("t")
        seen.wait_for(lambda _: looks_dark(seen) is not is_dark, what="another colour")
        seen.press("q")
        assert seen.wait_end() == 0


@pytest.mark.programs
def test_a_broken_lab_in_a_terminal() -> None:
    with terminal("tests.live.pretend", "light", "broken") as seen:
        for words in ("NOT healthy", "STALE 31 s", "NOT in the brewery", "no v3"):
            seen.see(words)
        seen.press("\x03")
        assert seen.wait_end() == 0


def ask(monkeypatch: pytest.MonkeyPatch, *words: str, snapshot: Snapshot) -> tuple[int, str]:
    monkeypatch.setattr(watch, "load_lab", lambda _: None)
    monkeypatch.setattr(live_source, "take_once", lambda _: snapshot)
    result = CliRunner().invoke(cli, ["watch", *words], standalone_mode=False)
    assert result.exception is None
    return int(result.return_value), result.output


@pytest.mark.parametrize(
    ("snapshot", "code"), [(make_snapshot(), 0), (make_broken(), 1)], ids=["fine", "broken"]
)
def test_once(monkeypatch: pytest.MonkeyPatch, snapshot: Snapshot, code: int) -> None:
    found, text = ask(monkeypatch, "--once", snapshot=snapshot)
    assert found == code and text.startswith("Lab 'demo': ")
    found, text = ask(monkeypatch, "--json", snapshot=snapshot)
    assert found == code and Snapshot.from_json(json.loads(text)) == snapshot


@pytest.mark.parametrize("words", [["watch"], ["up", "--watch"]])
def test_without_a_terminal(monkeypatch: pytest.MonkeyPatch, words: list[str]) -> None:
    """Nothing is begun; the way that works is named."""
    monkeypatch.setattr(watchapp, "is_terminal", lambda: False)
    with pytest.raises(UsageError, match="needs a terminal") as raised:
        cli(words, standalone_mode=False)
    assert "labctl watch --once" in (raised.value.hint or "")


def test_up_for_programs_shows_no_view() -> None:
    with pytest.raises(UsageError, match="'--json' is for programs"):
        cli(["up", "--watch", "--json"], standalone_mode=False)


def test_a_visit_is_one_ssh(tmp_path: Path) -> None:
    lab = Lab(Workdir.of("demo", root=tmp_path), resolve(Spec(lab="demo", jvbs=1, visitors=0)))
    config = str(lab.folder.ssh_config)
    assert watch.visit_words(lab, Visit.SHELL, "jvb1") == ["ssh", "-F", config, "-t", "jvb1"]
    *head, follow = watch.visit_words(lab, Visit.LOGS, "jvb1")
    assert head == ["ssh", "-F", config, "-t", "jvb1", "--"]
    assert follow == "sudo tail -n 200 -F /var/log/jitsi/jvb.log"
