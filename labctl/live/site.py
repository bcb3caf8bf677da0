"""What the page is made of: its files, and the lab's state and records as JSON."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.core.plain import to_plain
from labctl.live.records import Records, load_records, records_mark
from labctl.live.source import Source
from labctl.live.table import bridge_word, vnode_word
from labctl.report.drill import DrillRecord
from labctl.report.redact import redact
from labctl.report.timeline import view_of
from labctl.topology.workdir import Workdir

FILES = Path(__file__).with_name("page")
TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
JSON = "application/json"
NO_SECRETS = "The lab's secrets cannot be read, so nothing that might hold them is shown."
KEPT_SECONDS = 0.5
"""However many tabs ask, the state is put together at most so often."""
POLL_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an answer, and its type."""

    kind: str
    data: bytes


class Site:
    """Answers by path.  Its answers are made from the source; it changes nothing."""

    def __init__(
        self,
        source: Source,
        folder: Workdir,
        *,
        secrets: frozenset[str] | None = frozenset(),
        hidden: frozenset[str] = frozenset(),
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """`secrets` are what the records must not show; None if they are not known.

        `hidden` are words that nothing may show.
        """
        self._source = source
        self._folder = folder
        self._secrets = secrets
        self._hidden = hidden
        self._poll = poll_seconds
        self._lock = threading.Lock()
        self._state = Body(JSON, b"")
        self._made = 0.0
        self._files = {
            f"/{path.name}": Body(TYPES[path.suffix], path.read_bytes())
            for path in FILES.iterdir()
            if path.suffix in TYPES
        }
        self._files["/"] = self._files.pop("/index.html")

    def find(self, path: str) -> Body | None:
        """What is at a path, without its query; None if there is nothing."""
        match path:
            case "/api/state":
                return self._current_state()
            case "/api/records":
                return self._body(self._records())
            case _:
                return self._files.get(path)

    @property
    def files(self) -> Mapping[str, Body]:
        """What never changes, by path."""
        return self._files

    def records_mark(self) -> str:
        """A text that changes when '/api/records' does."""
        return records_mark(self._folder)

    def _current_state(self) -> Body:
        with self._lock:
            now = time.monotonic()
            if not self._made or now - self._made >= min(KEPT_SECONDS, self._poll):
                self._state = self._body(self._read_state())
                self._made = now
            return self._state

    def _read_state(self) -> dict[str, Any]:
        snapshot = self._source.snapshot()
        return {
            "snapshot": snapshot.to_json(),
            "words": {
                **{f"bridge {it.nick}": bridge_word(it) for it in snapshot.bridges},
                **{f"vnode {it.name}": vnode_word(it) for it in snapshot.vnodes},
            },
            "samples": to_plain(self._source.samples()),
            "records": self.records_mark(),
            "poll_seconds": self._poll,
        }

    def _records(self) -> dict[str, Any]:
        # The mark first: a file that changes meanwhile is read again the next time.
        mark = self.records_mark()
        if self._secrets is None:
            return {"mark": mark, **render_records(Records(problems=(NO_SECRETS,)))}
        found = render_records(load_records(self._folder))
        return {"mark": mark, **redact(found, secrets=self._secrets)}

    def _body(self, data: Mapping[str, Any]) -> Body:
        told = redact(data, secrets=self._hidden) if self._hidden else data
        return Body(JSON, json.dumps(told, separators=(",", ":")).encode())


def render_records(records: Records) -> dict[str, Any]:
    """The records as the page shows them."""
    crowd = records.crowd
    return {
        "drills": [_drill(record) for record in records.drills],
        "crowd": None if crowd is None else {**crowd.to_json(), "ended": records.crowd_ended},
        "exercise": records.exercise,
        "problems": list(records.problems),
    }


def _drill(record: DrillRecord) -> dict[str, Any]:
    view = view_of(record)
    return {
        "name": record.name,
        "title": view.title,
        "verdict": str(record.verdict),
        "bad": record.bad,
        "began": record.began,
        "says": [list(pair) for pair in view.says],
        "legend": [list(pair) for pair in view.legend],
        "acts": to_plain(record.acts),
        "people": [person.name for person in record.people],
        "timeline": to_plain(record.timeline),
    }
