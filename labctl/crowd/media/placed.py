"""A conference on one bridge of one's own choice, without a room and without Jicofo.

Jicofo gives a new conference to the bridge with the least stress, which on a machine that is busy
may be the same one for seconds: to wait until each was chosen takes as long as it pleases.  Asked
in Jicofo's own language, every bridge is proven at once, and each for itself.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import replace

from labctl.core.waiting import Patience
from labctl.crowd import jingle
from labctl.crowd.brewery import Brewery
from labctl.crowd.media import colibri
from labctl.crowd.media.call import Call
from labctl.crowd.media.options import ChannelKind, MediaOptions
from labctl.crowd.media.problem import MediaProblem, MediaStage
from labctl.crowd.media.sources import Source, parse_sources
from labctl.crowd.media.start import start
from labctl.crowd.media.view import MediaView
from labctl.crowd.recorder import Recorder
from labctl.crowd.target import Target
from labctl.crowd.xml import Element, parse_stanza

ANSWER_SECONDS = 5.0


class PlacedPerson:
    """Somebody with media on a bridge, and nothing else of a participant."""

    def __init__(self, target: Target, options: MediaOptions) -> None:
        self.nick, self.options = secrets.token_hex(4), options
        self.patience: Patience = target.patience
        self.call: Call = start(target, options, Recorder(self.nick, target.patience))
        self.sources: tuple[Source, ...] = ()

    def media(self) -> MediaView | None:
        """Where its media stands."""
        return self.call.view()


class Placed:
    """One conference on `bridge`, with a person for each of `options`; they have media once it
    was begun."""

    def __init__(
        self, target: Target, brewery: Brewery, bridge: str, *, options: Sequence[MediaOptions]
    ) -> None:
        self.bridge = bridge
        self._brewery = brewery
        self._within = target.patience.scaled(ANSWER_SECONDS)
        self._meeting = colibri.new_meeting()
        self._begun = False
        self.people = [PlacedPerson(target, replace(one, on=bridge)) for one in options]

    async def begin(self) -> None:
        """Ask the bridge for each of them, and let them connect; MediaProblem where it refuses."""
        if self.bridge not in self._brewery.nicks:
            raise self._problem("it is not in the brewery")
        for person in self.people:
            await self._place(person)
        for person in self.people:
            told = [one for other in self.people if other is not person for one in other.sources]
            person.call.take(parse_stanza(colibri.render_source_add(told)))

    async def _place(self, person: PlacedPerson) -> None:
        media = person.options.kind.media
        sctp = person.options.channel in (ChannelKind.ANY, ChannelKind.SCTP)
        first, self._begun = not self._begun, True
        create = colibri.render_create(
            self._meeting, person.nick, media=media, sctp=sctp, first=first
        )
        answer = await self._ask(create)
        try:
            transport = colibri.parse_created(answer, person.nick)
        except MediaProblem as problem:
            raise problem.with_bridge(self.bridge) from None
        offer = parse_stanza(colibri.render_offer(transport, bridge=self.bridge, media=media))
        accepted = self._accept(person, offer)
        person.sources = parse_sources(accepted)
        update = colibri.render_update(self._meeting, person.nick, accepted, person.sources)
        await self._ask(update)

    def _accept(self, person: PlacedPerson, offer: Element) -> Element:
        """The session-accept with which the participant's media answers at once."""
        given: list[str] = []
        person.call.invite(
            offer,
            jingle.parse_offer(offer),
            jid=person.nick,
            visitor=False,
            accept=given.append,
            tell=_nobody,
        )
        return parse_stanza(given[0])

    async def _ask(self, payload: str) -> Element:
        try:
            async with asyncio.timeout(self._within):
                return await self._brewery.ask(self.bridge, payload)
        except TimeoutError:
            detail = f"it does not answer the request for a conference within {self._within:g} s"
            raise self._problem(detail) from None

    def _problem(self, detail: str) -> MediaProblem:
        return MediaProblem(MediaStage.OFFER, detail=detail, bridge=self.bridge)

    def end(self) -> None:
        """Hang up, and let the bridge forget; one that does not answer forgets by itself."""
        for person in self.people:
            person.call.hang_up()
        if self._begun:
            self._brewery.tell(self.bridge, colibri.render_expire(self._meeting))


def _nobody(payload: str) -> None:
    """Nobody is there to be told: no focus holds this conference."""
