"""How a participant behaves: what it asks for, how it comes, and what it sends."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.crowd.admission import Account
from labctl.crowd.asking import Asking
from labctl.crowd.caps import PLAIN, WITH_DATA_CHANNEL, WITH_MEDIA, Caps
from labctl.crowd.door import Line
from labctl.crowd.media.options import ChannelKind, MediaOptions
from labctl.crowd.names import RoomName
from labctl.crowd.stream import PING_EVERY
from labctl.crowd.target import Target


@dataclass(frozen=True, slots=True)
class Options:
    """How participants behave; one value is shared by a whole crowd."""

    want_visitor: bool = False
    """Ask the focus to be a visitor from the start."""
    audio_sources: int = 0
    """Sources that a main participant announces; visitors never have any."""
    accept: bool = True
    """Answer session-initiate with session-accept."""
    ping_every: float = PING_EVERY
    line: Line = Line.WEBSOCKET
    asking: Asking = Asking.XMPP
    guest: bool = False
    """Come without the account or token that the lab asks for."""
    token: str | None = None
    """Show this token instead of one of the lab's."""
    lasting: bool = False
    """Keep what the server has not acknowledged, so that the session can be resumed."""
    name: str | None = None
    """The display name; the nick without one."""
    notes: bool = False
    """Record what components and the room say in JSON, and messages that come back."""
    media: MediaOptions | None = None
    """With media: ICE, DTLS, sound and picture; None accepts without any."""

    @property
    def caps(self) -> Caps:
        """What a participant says it can do."""
        if self.media is None:
            return PLAIN
        data = self.media.channel in (ChannelKind.ANY, ChannelKind.SCTP)
        return WITH_DATA_CHANNEL if data else WITH_MEDIA

    def login(self, target: Target, vnode: str | None) -> tuple[str, Account | None]:
        """Where to log in, and as whom: everybody is anonymous on a vnode."""
        if vnode is not None:
            return target.host(vnode), None
        if self.guest:
            return target.guests, None
        return target.domain, target.admission.account

    def token_for(self, target: Target, name: RoomName) -> str | None:
        """What to show at the door of a room."""
        if self.token is not None or self.guest:
            return self.token
        return target.token(name)
