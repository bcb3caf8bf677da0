"""The live view of `labctl watch`: tables, the log, and the way to a node's logs or shell."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Footer, RichLog, Static

from labctl.cli.signals import interrupts_for_child
from labctl.live.model import Snapshot
from labctl.live.source import Source
from labctl.live.table import Row, Table, Tone, headline, stand_in_line, tables, totals_line
from labctl.live.text import line_text, printable

REFRESH_SECONDS = 1.0
WIDEST = 44
"""Characters of a cell; names of rooms may have hundreds."""
SHOWN_MISSING = 3
DARK, LIGHT = "textual-dark", "textual-light"
LIGHT_BACKGROUNDS = ("7", "15")
"""What COLORFGBG calls white."""


class Visit(StrEnum):
    """What to do on a node while the view waits."""

    SHELL = "shell"
    LOGS = "logs"


Go = Callable[[Visit, str], None]
"""Visits a node in the terminal, and returns when the user comes back."""


def choose_theme(wanted: str, *, environment: Mapping[str, str]) -> str:
    """The theme for 'dark', 'light' or 'auto': as the terminal says it is, dark if it does not."""
    if wanted == "auto":
        background = environment.get("COLORFGBG", "").rpartition(";")[2]
        return LIGHT if background in LIGHT_BACKGROUNDS else DARK
    return LIGHT if wanted == "light" else DARK


class Grid(DataTable[Text]):
    """One of the snapshot's tables; rows keep their place and the cursor while cells change."""

    def __init__(self, name: str) -> None:
        super().__init__(id=name.lower(), cursor_type="row", zebra_stripes=True)
        self.border_title = name
        self._shown: dict[str, Row] = {}

    def show(self, table: Table, *, styles: Mapping[Tone, str]) -> None:
        """Show these rows."""
        self.display = bool(table.rows or table.empty)
        self.border_subtitle = "" if table.rows else table.empty
        if not self.columns:
            for name in table.columns:
                self.add_column(name, key=name)
        wanted = {row.key: row for row in table.rows}
        if list(wanted) != list(self._shown):
            self._lay_out(wanted, styles)
        for key, row in wanted.items():
            if row != self._shown[key]:
                for name, cell in zip(table.columns, _cells(row, styles), strict=True):
                    self.update_cell(key, name, cell, update_width=True)
        self._shown = wanted

    def node(self) -> str:
        """The node of the row under the cursor; empty if it has none."""
        rows = list(self._shown.values())
        return rows[self.cursor_row].node if self.cursor_row < len(rows) else ""

    def forget(self) -> None:
        """Draw every row again the next time, as after a change of colours."""
        self.clear()
        self._shown = {}

    def _lay_out(self, wanted: Mapping[str, Row], styles: Mapping[Tone, str]) -> None:
        """Rows have come or gone: lay all out again, the cursor on the same one if it is there."""
        keys = list(self._shown)
        key = keys[self.cursor_row] if self.cursor_row < len(keys) else ""
        self.clear()
        for row in wanted.values():
            self.add_row(*_cells(row, styles), key=row.key)
        if key in wanted:
            self.move_cursor(row=list(wanted).index(key))
        self._shown = dict(wanted)


def _cells(row: Row, styles: Mapping[Tone, str]) -> list[Text]:
    return [Text(_short(printable(cell)), style=styles[row.tone]) for cell in row.cells]


def _short(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


class WatchApp(App[None]):
    """Shows a source until the user leaves."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #head { height: auto; padding: 0 1; }
    #missing { height: auto; padding: 0 1; color: $text-error; }
    #tables { height: 1fr; }
    Grid { height: auto; border: round $primary; border-title-style: bold; }
    Grid:focus { border: round $accent; }
    #log { height: 30%; min-height: 5; border: round $primary; border-title-style: bold; }
    #log:focus { border: round $accent; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
        Binding("l", "visit('logs')", "Logs"),
        Binding("s", "visit('shell')", "Shell"),
        Binding("f", "filter", "Filter log"),
        Binding("t", "theme", "Theme"),
        Binding("tab", "app.focus_next", "Next table", show=False),
    ]

    def __init__(self, source: Source, *, go: Go, theme: str = DARK) -> None:
        super().__init__()
        self._source = source
        self._go = go
        self._first_theme = theme
        self._only = ""
        self._logged: object = None

    def compose(self) -> ComposeResult:
        yield Static(id="head", markup=False)
        yield Static(id="missing", markup=False)
        with VerticalScroll(id="tables", can_focus=False):
            for name in ("Nodes", "Bridges", "Vnodes", "Conferences"):
                yield Grid(name)
        log = RichLog(id="log", max_lines=500, wrap=False, auto_scroll=True, min_width=10)
        log.border_title = "Log"
        yield log
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.theme = self._first_theme
        self.query_one("#nodes").focus()
        self.refresh_view()
        self.set_interval(REFRESH_SECONDS, self.refresh_view)

    def refresh_view(self) -> None:
        """Show the newest snapshot."""
        snapshot = self._source.snapshot()
        heads = (headline(snapshot), stand_in_line(snapshot), totals_line(snapshot))
        self.query_one("#head", Static).update("\n".join(printable(it) for it in heads if it))
        self._show_missing(snapshot)
        found = {table.title: table for table in tables(snapshot)}
        styles = self._styles()
        for grid in self.query(Grid):
            title = str(grid.border_title)
            grid.show(found.get(title, Table(title, (), ())), styles=styles)
        self._show_log(snapshot)

    def _styles(self) -> Mapping[Tone, str]:
        colors = self.theme_variables
        return {
            Tone.PLAIN: "",
            Tone.BAD: f"bold {colors.get('error', 'red')}",
            Tone.OLD: "italic",
        }

    def _show_missing(self, snapshot: Snapshot) -> None:
        items = [f"{name}: {seen}" for name, seen in snapshot.missing.items()]
        lines = [printable(item) for item in items[:SHOWN_MISSING]]
        if len(items) > SHOWN_MISSING:
            lines.append(f"and {len(items) - SHOWN_MISSING} more: 'labctl status'")
        block = self.query_one("#missing", Static)
        block.display = bool(lines)
        block.update("\n".join(lines))

    def _show_log(self, snapshot: Snapshot) -> None:
        lines = [it for it in snapshot.lines if self._only in ("", it.node)]
        mark = (self._only, self.theme, tuple(lines))
        if mark == self._logged:
            return
        self._logged = mark
        log = self.query_one("#log", RichLog)
        at_end = log.is_vertical_scroll_end
        log.clear()
        bad = self._styles()[Tone.BAD]
        for line in lines:
            style = "" if line.level == "info" else bad if line.level == "error" else "bold"
            log.write(Text(printable(line_text(line)), style=style), scroll_end=at_end)

    def _node(self) -> str:
        """The node that the cursor is on; empty if it is on none, with a word to the user."""
        focused = self.focused
        node = focused.node() if isinstance(focused, Grid) else ""
        if not node:
            self.notify("Choose a node, a bridge or a vnode first.", severity="warning")
        return node

    def action_visit(self, what: str) -> None:
        """Leave the view for a node's logs or shell, and come back."""
        node = self._node()
        if not node:
            return
        try:
            with self.suspend(), interrupts_for_child():
                self._go(Visit(what), node)
        except SuspendNotSupported:
            self.notify("This terminal cannot be shared with another program.", severity="error")
        self.refresh_view()

    def action_filter(self) -> None:
        """Show only the log of the node under the cursor, or all again."""
        self._only = "" if self._only else self._node()
        title = f"Log of {self._only}" if self._only else "Log"
        self.query_one("#log", RichLog).border_title = title
        self.refresh_view()

    def action_theme(self) -> None:
        """Dark or light, in turns."""
        self.theme = DARK if self.theme == LIGHT else LIGHT
        for grid in self.query(Grid):
            grid.forget()
        self.refresh_view()


def is_terminal() -> bool:
    """Whether a view can be shown and keys can be read."""
    return all(os.isatty(number) for number in (0, 1, 2)) and os.environ.get("TERM") != "dumb"
