"""Media on both sides of the gate: how soon sound comes, and for how long it stops in drills."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from labctl.crowd import Options, Target
from labctl.crowd.media import MediaKind, MediaOptions
from labctl.crowd.sync import crowd_in
from labctl.gate.model import GateFinding, MediaFigures, Severity
from labctl.report.drill import DrillRecord, drills_from_json
from labctl.topology.lab import Lab

CALLS = 5
CALL_SECONDS = 20.0
LEAST = 3
"""The fewest figures on each side that show their noise."""
WORSE_RATIO = 1.5
WORSE_SECONDS = 0.5
"""A difference of less than either is not reported, whatever the noise."""
OF_CALL = "participants of the call"


def measure_media(lab: Lab) -> MediaFigures:
    """Calls of two, one after another.  Errors: LabError if one has no sound."""
    return MediaFigures(first_sound=tuple(_call(lab) for _ in range(CALLS)))


def _call(lab: Lab) -> float:
    options = Options(media=MediaOptions.of(lab.topology, MediaKind.AUDIO))
    room = f"gate-{secrets.token_hex(4)}"
    with crowd_in(Target.of(lab), room, options=options) as crowd:
        crowd.join(2, deadline=CALL_SECONDS)
        views = crowd.wait_media(deadline=CALL_SECONDS)
        # The second is invited when the first is there already: its time is the bridge's alone.
        return round(min(view.first("audio") or CALL_SECONDS for view in views), 3)


def with_drills(figures: MediaFigures, file: Path) -> MediaFigures:
    """The figures, with what a drills.json says about sound; unchanged if there is none."""
    if not file.is_file():
        return figures
    records = drills_from_json(json.loads(file.read_text(encoding="utf-8")))
    heard = {record.name: _silences(record) for record in records}
    return replace(
        figures,
        silences={name: times for name, times in heard.items() if times},
        mute={record.name: count for record in records if (count := _mute(record))},
    )


def _silences(record: DrillRecord) -> tuple[float, ...]:
    return tuple(it.stopped for it in record.media if it.media == "audio" and it.part == OF_CALL)


def _mute(record: DrillRecord) -> int:
    return sum(
        it.media == "audio" and it.part == OF_CALL and not it.at_the_end for it in record.media
    )


def compare_media(new: MediaFigures | None, old: MediaFigures | None) -> Iterator[GateFinding]:
    """Differences that need attention; the drills give the verdicts, because they know what is
    expected."""
    if new is None or old is None:
        return
    yield from _compare("first sound", new.first_sound, old.first_sound)
    for name, times in new.silences.items():
        yield from _compare(f"silence in {name}", times, old.silences.get(name, ()))
    for name, count in new.mute.items():
        if name not in old.mute and name in old.silences:
            text = f"{count} heard nothing when the drill ended; the baseline left nobody mute"
            yield GateFinding("media", name, Severity.ATTENTION, text)


def _compare(subject: str, new: Sequence[float], old: Sequence[float]) -> Iterator[GateFinding]:
    """A finding only if the ranges do not overlap and the medians are far apart."""
    if min(len(new), len(old)) < LEAST:
        return
    sides = (("longer", old, new, Severity.ATTENTION), ("shorter", new, old, Severity.INFO))
    for word, short, long, severity in sides:
        apart = max(short) < min(long) and median(long) > median(short) * WORSE_RATIO
        if apart and median(long) - median(short) > WORSE_SECONDS:
            text = f"{word}: {_range(new)} against {_range(old)}"
            yield GateFinding("media", subject, severity, text)


def _range(seconds: Sequence[float]) -> str:
    return f"{median(seconds):.2f} s ({min(seconds):.2f}-{max(seconds):.2f})"


def render_media(figures: MediaFigures | None) -> str:
    """One side in a line."""
    if figures is None or not figures.first_sound:
        return "not tried"
    words = [f"sound after {_range(figures.first_sound)}"]
    if times := figures.silences.get("failover"):
        words.append(f"silent for {_range(times)} in failover")
    return ", ".join(words)
