"""Gaps as our receivers count them beside those that Chromium's getStats shows, in the same room.

`media.py gap` runs this.  Two participants of the crowd send, and each of them receives the other;
one in Chromium receives both.  In each round the media port of the bridge is closed for 2 to 4 s as
the drill `media-port` closes it, so a packet of a source that one receiver misses the other misses
as well, and both should count the same gap.  Chromium tells the time of a source's last packet;
the steps of that time, looked at every 50 ms while packets stay away, are its gaps.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from labctl.browser import BrowserOptions, Snapshot
from labctl.browser.sync import SyncBrowserParticipant, browsers_in
from labctl.cli.signals import ended_in_order
from labctl.core.errors import LabError
from labctl.core.waiting import wait_until
from labctl.crowd import Target
from labctl.crowd.media import MediaView
from labctl.drills.faults import DropMedia
from labctl.drills.journal import Journal, undo_left
from labctl.drills.model import Where
from labctl.drills.stage import Call, DrillStage
from labctl.node.ssh import ensure_config
from labctl.topology.lab import Lab
from labctl.topology.lock import locked

CLOSED = (2.0, 2.5, 3.0, 3.5, 4.0)
"""Seconds for which the port is closed, in turn."""
WITHIN = 0.1
"""The aim: seconds between the two figures of a gap."""
STEADY = 1.0
"""Seconds of packets after a gap before it is read, and before the next one."""
BACK_SECONDS = 30.0
LISTENER = BrowserOptions(video=False)
"""It sees the others; encoding a picture of its own would only take processor time."""

TITLES = "round  source       media  closed       ours   Chromium   longer by  begins later by"


@dataclass(frozen=True, slots=True)
class Silence:
    """A time without packets; `began` in seconds since the epoch."""

    began: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One source in one round, as both have it."""

    round: int
    closed: float
    source: str
    media: str
    ours: Silence
    chromium: Silence

    @property
    def difference(self) -> float:
        """Seconds by which Chromium's gap is the longer one."""
        return self.chromium.seconds - self.ours.seconds


@dataclass(frozen=True, slots=True)
class Room:
    """A call on a stage, and who listens in a browser."""

    stage: DrillStage
    call: Call
    browser: SyncBrowserParticipant

    def received(self) -> Iterator[tuple[MediaView, str, str, str]]:
        """What our participants receive of each other: view, owner, media and name of a source."""
        people = {one.nick for one in self.call.people}
        for view in self.call.crowd.media():
            for source in view.sources:
                if source.owner in people:
                    yield view, source.owner, source.media, source.name

    def all_since(self, when: float) -> bool:
        """Whether packets of every source came to both receivers after `when` (monotonic)."""
        seen = self.browser.snapshot()
        found = list(self.received())
        return len(found) == 4 and all(
            view.receives(owner, media, after=when)
            and chromium_last(seen, owner, media) > when + epoch()
            for view, owner, media, _ in found
        )

    def wait_all(self, *, after: float) -> None:
        """Errors: LabError if a source stays away."""
        end = self.stage.lab.patience.deadline(BACK_SECONDS)
        if not wait_until(lambda: self.all_since(after), deadline=end, interval=0.25):
            raise LabError(f"Not everybody was received within {BACK_SECONDS:.0f} s.")


def epoch() -> float:
    """What turns this machine's monotonic seconds into seconds since the epoch."""
    return time.time() - time.monotonic()


def chromium_last(seen: Snapshot, owner: str, media: str) -> float:
    track = seen.track(owner, media)
    return track.last_packet or 0.0 if track is not None else 0.0


def chromium_silence(seen: Snapshot, owner: str, media: str) -> Silence:
    """The longest gap of a track since its gaps were reset."""
    track = seen.track(owner, media)
    if track is None or track.longest_gap_at is None:
        raise LabError(f"Chromium has no gap of {owner}'s {media}.")
    return Silence(track.longest_gap_at, track.longest_gap)


def our_silence(view: MediaView, name: str, *, since: float) -> Silence:
    """The longest gap of a source after `since` (monotonic)."""
    gaps = [gap for gap in view.gaps_since(since) if gap.source == name]
    if not gaps:
        raise LabError(f"'{view.nick}' has counted no gap of '{name}'.")
    longest = max(gaps, key=lambda gap: gap.seconds)
    return Silence(longest.began + epoch(), longest.seconds)


def close_port(stage: DrillStage, *, seconds: float) -> None:
    """The call's bridge without its media port for so long; open again whatever happens."""
    try:
        stage.hit(DropMedia(), stage.spots(Where.IN_USE))
        time.sleep(seconds)
    finally:
        stage.undo()


def one_round(room: Room, number: int, *, closed: float) -> Iterator[Row]:
    """Close the port once, and read the gap of each source from both."""
    began = time.monotonic()
    room.browser.reset_gaps()
    close_port(room.stage, seconds=closed)
    room.wait_all(after=time.monotonic() + STEADY)
    seen = room.browser.snapshot()
    for view, owner, media, name in room.received():
        ours = our_silence(view, name, since=began)
        yield Row(number, closed, name, media, ours, chromium_silence(seen, owner, media))


def enter(lab: Lab, stack: ExitStack) -> Room:
    """Two of the crowd and one in Chromium in a room on one bridge, all received by all."""
    stage = DrillStage(lab, Journal(lab.folder, what="benchmark"), stack, Target.of(lab))
    stage.call = stage.start_call(2)
    browsers = stack.enter_context(browsers_in(stage.target))
    room = Room(stage, stage.call, browsers.join(stage.call.crowd.room, options=LISTENER))
    room.wait_all(after=time.monotonic() + STEADY)
    bridges = stage.bridges_of(stage.call.crowd.room)
    if bridges != stage.call.bridges or len(bridges) != 1:
        raise LabError(f"The room is on {sorted(bridges)}: use a lab without relays.")
    return room


def measure_gaps(lab: Lab, *, rounds: int) -> Iterator[Row]:
    """So many rounds on a running lab; its faults are undone whatever happens."""
    with locked(lab.folder, what="benchmark"), ended_in_order(), ExitStack() as stack:
        ensure_config(lab)
        undo_left(lab, progress=tell_progress)
        room = enter(lab, stack)
        for number in range(1, rounds + 1):
            yield from one_round(room, number, closed=CLOSED[(number - 1) % len(CLOSED)])


def tell_progress(phase: str, message: str, *, node: str | None = None) -> None:
    print(f"{phase}: {message}", file=sys.stderr)


def print_row(row: Row) -> None:
    """The two last columns say how Chromium's gap differs from ours."""
    shift = (row.chromium.began - row.ours.began) * 1000
    print(
        f"{row.round:>5}  {row.source:<12} {row.media:<6} {row.closed:5.1f} s "
        f"{row.ours.seconds:8.3f} s {row.chromium.seconds:8.3f} s "
        f"{row.difference * 1000:+8.0f} ms {shift:+13.0f} ms",
        flush=True,
    )


def summary(media: str, rows: Sequence[Row]) -> str:
    """A line about all gaps of sound, or of pictures."""
    differences = [row.difference for row in rows]
    largest = max(differences, key=abs)
    near = sum(abs(each) <= WITHIN for each in differences)
    return (
        f"{media}: {len(rows)} gaps, median difference {statistics.median(differences):+.3f} s, "
        f"largest {largest:+.3f} s, {near} of {len(rows)} within {WITHIN * 1000:.0f} ms"
    )


def to_json(rows: Iterable[Row]) -> list[dict[str, object]]:
    return [{**asdict(row), "difference": row.difference} for row in rows]


def run_gaps(lab: Lab, *, rounds: int, json_file: Path | None) -> None:
    """Measure, print a table and its summary, and keep the rows where they are wanted."""
    print(TITLES)
    rows = []
    for row in measure_gaps(lab, rounds=rounds):
        print_row(row)
        rows.append(row)
    for media in ("audio", "video"):
        print(summary(media, [row for row in rows if row.media == media]))
    print(f"load average {os.getloadavg()[0]:.1f}")
    if json_file is not None:
        json_file.write_text(json.dumps(to_json(rows), indent=2) + "\n", encoding="utf-8")
