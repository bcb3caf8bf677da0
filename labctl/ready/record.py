"""When media last passed through each bridge: a small file in the lab's folder.

`labctl up`, drills and `labctl verify` write it, `labctl status` reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateError, StateKind, load_state, save_state
from labctl.topology.workdir import Workdir

NAME = "media.json"


@dataclass(frozen=True, slots=True)
class BridgeRecord:
    """One bridge: when media last passed, when it was last tried, and what was wrong then.

    Times are ISO 8601 in UTC, empty for never; `problem` is empty if it passed."""

    passed: str = ""
    tried: str = ""
    by: str = ""
    """What tried it: 'up', 'verify' or 'drill'."""
    problem: str = ""

    @property
    def well(self) -> bool:
        return bool(self.passed) and not self.problem


NEVER = BridgeRecord()


@dataclass(frozen=True, slots=True)
class MediaRecord:
    """All bridges of a lab, by nick."""

    bridges: Mapping[str, BridgeRecord] = field(default_factory=dict)

    def of(self, nick: str) -> BridgeRecord:
        return self.bridges.get(nick, NEVER)

    def passed(self, nicks: Iterable[str]) -> str:
        """Since when media is known to pass through all of them; empty if it does not."""
        found = [self.of(nick) for nick in nicks]
        well = all(one.well for one in found)
        return min((one.passed for one in found), default="") if well else ""

    def wrong(self, nicks: Iterable[str]) -> str:
        """The first bridge through which media did not pass when it was last tried."""
        for nick in nicks:
            one = self.of(nick)
            if one.problem:
                return f"{one.problem} ('{one.by}' tried at {one.tried})"
            if not one.passed:
                return f"nothing has been sent through bridge '{nick}' yet: 'labctl up' does that"
        return ""


MEDIA: StateKind[MediaRecord] = StateKind(
    format=1, parse=partial(from_plain, MediaRecord), remedy="'labctl up' writes it again."
)


def load_record(folder: Workdir) -> MediaRecord:
    """What is known; empty if nothing was tried yet or the file cannot be used."""
    try:
        return load_state(folder.path / NAME, MEDIA)
    except StateError:
        return MediaRecord()


def save_record(folder: Workdir, problems: Mapping[str, str], *, by: str) -> None:
    """Note that media was tried now: by nick what was wrong, empty if it passed."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = load_record(folder)
    bridges = dict(record.bridges)
    for nick, problem in problems.items():
        before = record.of(nick)
        passed = before.passed if problem else now
        bridges[nick] = replace(before, passed=passed, tried=now, by=by, problem=problem)
    save_state(folder.path / NAME, MEDIA, to_plain(MediaRecord(dict(sorted(bridges.items())))))
