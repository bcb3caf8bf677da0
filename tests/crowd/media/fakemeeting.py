"""XMPP and a bridge together: the focus invites with the bridge's offers."""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree

from websockets.asyncio.server import ServerConnection

from tests.crowd.fakexmpp import FakeXmpp
from tests.crowd.media.fakebridge import SSMA, Endpoint, FakeBridge


@dataclass
class FakeMeeting(FakeXmpp):
    """Who is in the room is on the bridge."""

    bridge: FakeBridge = field(default_factory=FakeBridge)
    here: dict[str, ServerConnection] = field(default_factory=dict)
    json_sources: bool = False

    async def send_invitation(self, ws: ServerConnection, room: str, *, sid: str = "s1") -> None:
        nick = next(nick for nick, there in self.rooms[room].items() if there is ws)
        endpoint = await self.bridge.endpoint(nick)
        self.here[nick] = ws
        await self.send_jingle(ws, room, endpoint.offer().replace("sid='s1'", f"sid='{sid}'"))

    async def send_jingle(self, ws: ServerConnection, room: str, jingle: str) -> None:
        await ws.send(
            f"<iq xmlns='jabber:client' type='set' id='j1' from='{room}/focus'>{jingle}</iq>"
        )

    async def on_jingle(self, ws: ServerConnection, stanza: ElementTree.Element) -> None:
        await self.reply(ws, stanza, "")
        nick = next(nick for nick, there in self.here.items() if there is ws)
        endpoint = self.bridge.endpoints[nick]
        endpoint.accept(ElementTree.tostring(stanza[0], encoding="unicode"))
        room = stanza.get("to", "").partition("/")[0]
        for other, there in self.here.items():
            if other != nick:
                await self.send_jingle(there, room, self.source_add(endpoint))

    def source_add(self, endpoint: Endpoint) -> str:
        """What the others are told, in either spelling."""
        if self.json_sources:
            lists = [
                f'[{{"s":{endpoint.ssrcs[media]},"n":"{endpoint.nick}-{media[0]}0","m":"x y"}}]'
                if media in endpoint.ssrcs
                else "[]"
                for media in ("video", "audio")
            ]
            told = f'{{"sources":{{"{endpoint.nick}":[{lists[0]},[],{lists[1]}]}}}}'
            body = f"<json-message xmlns='http://jitsi.org/jitmeet'>{told}</json-message>"
        else:
            body = "".join(
                f"<content name='{media}'><description xmlns='urn:xmpp:jingle:apps:rtp:1' "
                f"media='{media}'>{endpoint.source(media, ssrc)}</description></content>"
                for media, ssrc in endpoint.ssrcs.items()
            )
        assert SSMA in body or self.json_sources
        return f"<jingle xmlns='urn:xmpp:jingle:1' action='source-add' sid='s1'>{body}</jingle>"
