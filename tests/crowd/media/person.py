"""A call with its recorder, driven as the inbox would drive it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address
from pathlib import Path

from labctl.crowd.events import Event, Kind
from labctl.crowd.jingle import parse_offer
from labctl.crowd.media import ChannelKind, MediaOptions, MediaView
from labctl.crowd.media.call import Call
from labctl.crowd.recorder import Recorder
from labctl.crowd.target import Target
from labctl.crowd.xml import parse_stanza
from tests.crowd.media.fakebridge import Endpoint, FakeBridge, bridging

NOWHERE = Target(IPv4Address("127.0.0.1"), 1, "meet.lab.test", Path("none"), prove=lambda _: None)
OPTIONS = MediaOptions(
    bridges={"127.0.0.1": "jvb1", "::1": "jvb6"}, channel=ChannelKind.NONE, connect_within=3.0
)


class Person:
    """One participant."""

    def __init__(
        self, nick: str, options: MediaOptions = OPTIONS, *, target: Target = NOWHERE
    ) -> None:
        self.nick = nick
        self.recorder = Recorder(nick, target.patience)
        self.said: list[str] = []
        """Jingle that went to the focus, but for the session-accept."""
        self.call = Call(target, options, self.recorder)

    async def invite(self, bridge: FakeBridge, *, visitor: bool = False) -> Endpoint:
        """A session-initiate from this bridge."""
        endpoint = await bridge.endpoint(self.nick)
        bridge.guests.append(self.call.hang_up)
        jingle = parse_stanza(endpoint.offer())
        self.recorder.record(Kind.INVITED)
        self.call.invite(
            jingle,
            parse_offer(jingle),
            jid="me@lab/x",
            visitor=visitor,
            accept=endpoint.accept,
            tell=self.said.append,
        )
        return endpoint

    async def wait(self, kind: Kind, *, count: int = 1, after: float = 0.0) -> Event:
        return await self.recorder.wait_for(kind, deadline=6, count=count, after=after)

    def hear_of(self, *endpoints: Endpoint, action: str = "source-add") -> None:
        """source-add for what these have announced."""
        contents = "".join(
            f"<content name='{media}'><description xmlns='urn:xmpp:jingle:apps:rtp:1' "
            f"media='{media}'>{endpoint.source(media, ssrc)}</description></content>"
            for endpoint in endpoints
            for media, ssrc in endpoint.ssrcs.items()
        )
        self.call.take(
            parse_stanza(f"<jingle xmlns='urn:xmpp:jingle:1' action='{action}'>{contents}</jingle>")
        )

    def view(self) -> MediaView:
        return self.call.view()


async def two_in(bridge: FakeBridge, options: MediaOptions = OPTIONS) -> tuple[Person, Person]:
    """Two that hear and see each other."""
    one, two = Person("aaaa1111", options), Person("bbbb2222", options)
    await one.invite(bridge)
    other = await two.invite(bridge)
    one.hear_of(other)
    for person in (one, two):
        await person.wait(Kind.HEARD)
        await person.wait(Kind.SEEN)
    return one, two


def play(scene: Callable[[FakeBridge], Awaitable[None]], bridge: FakeBridge | None = None) -> None:
    """Run a scene with a bridge; none may take longer than fifteen seconds."""

    async def main() -> None:
        async with asyncio.timeout(15), bridging(bridge or FakeBridge()) as running:
            await scene(running)

    asyncio.run(main())
