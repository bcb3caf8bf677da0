"""From what participants received to when sound and picture stopped: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from labctl.crowd.media import MediaView
from labctl.drills.findings import Hearing
from labctl.drills.model import Mark, Who

SILENCE = 1.0
"""Seconds without packets from which on sound, or a picture, has stopped.  Less than that a busy
machine does to a call by itself."""
GONE = 3.0
"""Seconds of silence that are no pause of a busy machine: over a second was seen for one of three
at a load of 18 on two processors, with nothing broken."""
STEADY = 1.0
"""Seconds after which what came back is back."""
AT_ONCE = 0.3
"""A pause that began so many seconds before a fault is the fault's: the next packet was the
first that did not come."""
LOSSY_SHARE, LOSSY_PACKETS = 0.01, 100
"""Loss worth a mark: at least this share of at least so many packets."""

MARKS = {
    "audio": (Mark.SOUND_STOPPED, Mark.SOUND_BACK),
    "video": (Mark.PICTURE_STOPPED, Mark.PICTURE_BACK),
}


@dataclass(frozen=True, slots=True)
class Span:
    """Somebody was not heard from `began` to `ended` (monotonic seconds); None: still so."""

    began: float
    ended: float | None

    def seconds(self, now: float) -> float:
        return (now if self.ended is None else self.ended) - self.began


@dataclass(frozen=True, slots=True)
class Count:
    """Packets of sound that came, and those that never did, so far."""

    came: int
    lost: int

    def loss_since(self, before: Count) -> float | None:
        """The share that was lost; None where too few were due to tell."""
        came, lost = self.came - before.came, max(self.lost - before.lost, 0)
        return lost / (came + lost) if came + lost >= LOSSY_PACKETS else None


def count_sound(view: MediaView) -> Count:
    """All sound that this participant has received."""
    mine = [one for one in view.sources if one.media == "audio"]
    return Count(sum(one.packets for one in mine), sum(one.lost for one in mine))


def silences(view: MediaView, media: str, *, since: float) -> list[Span]:
    """When somebody was not heard after `since`, each for SILENCE at least, in order.

    What comes back for less than STEADY seconds does not end a silence.
    """
    gaps = [gap for gap in view.gaps_since(since) if gap.media == media and gap.seconds >= SILENCE]
    joined: list[Span] = []
    for gap in sorted(gaps, key=lambda each: each.began):
        ended = gap.began + gap.seconds if gap.over else None
        last = joined[-1] if joined else None
        if last is None or (last.ended is not None and gap.began - last.ended >= STEADY):
            joined.append(Span(gap.began, ended))
        elif ended is None or last.ended is None:
            joined[-1] = Span(last.began, None)
        else:
            joined[-1] = Span(last.began, max(last.ended, ended))
    return joined


def marks_of_silence(
    spans: Iterable[Span], media: str, *, began: Sequence[float], now: float
) -> Iterator[tuple[int, float, Mark]]:
    """Act, seconds since its beginning, and mark; an act that begins in silence says so at 0."""
    stopped, back = MARKS[media]
    for span in spans:
        for act, start in enumerate(began):
            end = began[act + 1] if act + 1 < len(began) else now
            # A pause belongs to the act that made it, not to the one that was about to end.
            first, last = span.began, now if span.ended is None else span.ended
            late = act + 1 < len(began) and first > end - AT_ONCE
            if not late and first < end and last > start:
                yield act, max(0.0, first - start), stopped
                if media == "audio" and span.seconds(now) >= GONE:
                    yield act, max(0.0, first - start), Mark.SOUND_GONE
            if span.ended is not None and start <= last < end and now - last >= STEADY:
                yield act, last - start, back


def hearing_of(
    view: MediaView, media: str, *, who: Who, name: str, since: float, before: Count
) -> Hearing:
    """What this participant heard from `since` on; `before` is what had come until then."""
    spans = silences(view, media, since=since)
    gap = view.longest_gap(media, since=since)
    loss = count_sound(view).loss_since(before) if media == "audio" else None
    return Hearing(
        who,
        name,
        media,
        stopped=sum(span.seconds(view.at) for span in spans),
        longest=gap.seconds if gap is not None else 0.0,
        at_the_end=all(span.ended is not None for span in spans),
        loss=loss or 0.0,
    )
