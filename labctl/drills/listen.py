"""Listening to the participants of a drill: what they hear and see, as moments and as figures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from labctl.crowd.media import MediaView
from labctl.crowd.sync import SyncParticipant
from labctl.drills.findings import Hearing, Moment
from labctl.drills.model import Mark, Who
from labctl.drills.silence import (
    LOSSY_SHARE,
    Count,
    count_sound,
    hearing_of,
    marks_of_silence,
    silences,
)

MEDIA = ("audio", "video")
Cast = Sequence[tuple[Who, str, SyncParticipant]]
NOTHING_YET = Count(0, 0)


@dataclass(slots=True)
class Listener:
    """Everybody's media from the first act on; `began` is when each act did, in order."""

    began: list[float] = field(default_factory=list)
    counts: list[dict[str, Count]] = field(default_factory=list)
    """What each participant had received when an act began."""
    lossy_acts: set[int] = field(default_factory=set)
    """Those in which lost packets are of interest; each stop and move loses some."""
    lossy: dict[tuple[int, str], float] = field(default_factory=dict)
    """When a participant's loss in an act was first worth a mark."""

    def begin_act(self, cast: Cast, *, lossy: bool) -> None:
        """Another act begins now; `lossy` says whether packets are to be lost in it."""
        if lossy:
            self.lossy_acts.add(len(self.began))
        views = list(_views(cast))
        self.counts.append({name: count_sound(view) for _, name, view in views})
        self.began.append(time.monotonic())

    def moments(self, cast: Cast) -> list[Moment]:
        """What stopped and came back so far, and where packets were lost."""
        if not self.began:
            return []
        found: list[Moment] = []
        for who, name, view in _views(cast):
            for media in MEDIA:
                spans = silences(view, media, since=self.began[0])
                marks = marks_of_silence(spans, media, began=self.began, now=view.at)
                found += [Moment(act, at, who, name, mark) for act, at, mark in marks]
            self._note_loss(name, view)
            found += self._losses(who, name)
        return found

    def figures(self, cast: Cast) -> tuple[Hearing, ...]:
        """What everybody heard and saw from the first act until now."""
        if not self.began:
            return ()
        return tuple(
            hearing_of(
                view, media, who=who, name=name, since=self.began[0],
                before=self.counts[0].get(name, NOTHING_YET),
            )
            for who, name, view in _views(cast)
            for media in MEDIA
            if any(one.media == media for one in view.sources)
        )  # fmt: skip

    def _note_loss(self, name: str, view: MediaView) -> None:
        act = len(self.began) - 1
        if act not in self.lossy_acts:
            return
        loss = count_sound(view).loss_since(self.counts[act].get(name, NOTHING_YET))
        if loss is not None and loss >= LOSSY_SHARE:
            self.lossy.setdefault((act, name), view.at)

    def _losses(self, who: Who, name: str) -> Iterator[Moment]:
        for (act, one), at in self.lossy.items():
            if one == name:
                yield Moment(act, at - self.began[act], who, name, Mark.LOSSY)


def _views(cast: Cast) -> Iterator[tuple[Who, str, MediaView]]:
    for who, name, one in cast:
        view = one.media()
        if view is not None:
            yield who, name, view
