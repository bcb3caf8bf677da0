"""A participant's media from its first session-initiate to its end, over all of its sessions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from labctl.crowd.events import Kind
from labctl.crowd.jingle import Offer
from labctl.crowd.media import channel as channels
from labctl.crowd.media.accept import (
    Agreed,
    agree,
    make_sources,
    render_accept,
    render_restart,
)
from labctl.crowd.media.channel import Channel, Message
from labctl.crowd.media.flows import Flows
from labctl.crowd.media.offer import MediaOffer, parse_candidates, parse_media
from labctl.crowd.media.options import ChannelKind, MediaOptions, Relay
from labctl.crowd.media.problem import MediaProblem, MediaStage
from labctl.crowd.media.receiver import Receiver
from labctl.crowd.media.session import Session
from labctl.crowd.media.sources import Source, parse_sources
from labctl.crowd.media.view import MediaView, SentView
from labctl.crowd.recorder import Recorder
from labctl.crowd.stream import Stream
from labctl.crowd.target import Target
from labctl.crowd.xml import Element

FIRST_OF = {"audio": Kind.HEARD, "video": Kind.SEEN}


class Call:
    """What the inbox hands over to as soon as Jingle is about media."""

    __slots__ = (
        "_agreed", "_channel", "_invited_at", "_offered", "_own", "_recorder", "_session",
        "_sessions", "_target", "_tasks", "flows", "options", "problem", "relay",
    )  # fmt: skip

    def __init__(self, target: Target, options: MediaOptions, recorder: Recorder) -> None:
        self._target, self.options, self._recorder = target, options, recorder
        self.flows = Flows(recorder.nick, on_first=self._on_first)
        self._session: Session | None = None
        self._channel: Channel | None = None
        self._agreed: dict[str, Agreed] = {}
        self._own: dict[str, Source] = {}
        self._sessions = 0
        self._invited_at: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._offered: tuple[ChannelKind, ...] = ()
        self.problem: MediaProblem | None = None
        self.relay: Relay | None = None
        """The TURN server to take, learned from Prosody before the invitation."""

    async def prepare(self, stream: Stream, *, domain: str) -> None:
        """Once logged in: learn what has to be known before the invitation."""
        if self.options.relay is not None:
            from labctl.crowd.media.relay import ask_relay

            self.relay = await ask_relay(stream, self.options.relay, domain=domain)

    # Jingle.

    def invite(
        self,
        jingle: Element,
        offer: Offer,
        *,
        jid: str,
        visitor: bool,
        accept: Callable[[str], None],
        tell: Callable[[str], None],
    ) -> None:
        """A session-initiate: answer it by `accept` at once, then connect; `tell` sends any other
        Jingle to the focus."""
        self.hang_up()
        self._invited_at = self._invited_at or time.monotonic()
        self._sessions += 1
        media = parse_media(jingle)
        self._offered = _channels_of(media)
        self._agreed = agree(media, self.options.kind.media)
        sends = self.options.send and not visitor
        self._own = make_sources(self._recorder.nick, self._agreed) if sends else {}
        session = self._session = Session(
            media.transport,
            on_rtp=self.flows.on_rtp,
            on_rtcp=self.flows.on_rtcp,
            on_lost=lambda: self._on_lost(offer, tell),
            target=self._target,
            relay=self.relay,
        )
        self.flows.add_sources(parse_sources(jingle))
        local = session.open()
        accept(render_accept(offer, media, local, jid=jid, agreed=self._agreed, sources=self._own))
        self._say_missing_codecs(media)
        self._spawn(self._connect(session, media))

    def take(self, jingle: Element) -> None:
        """What comes during a session: sources of others, and candidates that came later."""
        action = jingle.get("action")
        if action in ("source-add", "addsource"):
            self.flows.add_sources(parse_sources(jingle))
        elif action in ("source-remove", "removesource"):
            self.flows.remove_sources(parse_sources(jingle))
        elif action == "transport-info" and self._session is not None:
            self._session.check(tuple(parse_candidates(jingle)))

    def hang_up(self) -> None:
        """The session is over; counters stay, so that a gap to the next one is seen."""
        for task in tuple(self._tasks):
            task.cancel()
        self.flows.end()
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._session is not None:
            self._session.close()
        self.problem = None

    # Connecting.

    def _spawn(self, work: asyncio._CoroutineLike[None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, session: Session, media: MediaOffer) -> None:
        try:
            await session.connect(self.options.connect_within)
        except MediaProblem as problem:
            self._fail(problem)
            session.close()
            return
        address, port = session.remote or ("", 0)
        self._recorder.record(
            Kind.MEDIA, bridge=self.options.bridge(address), address=address, port=str(port)
        )
        self.flows.begin(session, self._agreed, self._own)
        try:
            await self._open_channel(session, media)
        except MediaProblem as problem:
            self._fail(session.located(problem))

    def _say_missing_codecs(self, media: MediaOffer) -> None:
        for name in self.options.kind.media:
            content = media.of(name)
            if content is None:
                self._fail(
                    MediaProblem(MediaStage.CODECS, detail=f"its offer has no {name}", media=name)
                )
            elif name not in self._agreed:
                offered = ", ".join(dict.fromkeys(codec.name for codec in content.codecs))
                detail = f"of its {name} codecs ({offered or 'none'}) there is no recording"
                self._fail(MediaProblem(MediaStage.CODECS, detail=detail, media=name))

    def _on_lost(self, offer: Offer, tell: Callable[[str], None]) -> None:
        """The bridge was there and no longer is."""
        lost = self._session.lost() if self._session is not None else None
        if lost is not None:
            self._record(self._named(lost))
        if self.options.restart:
            tell(render_restart(offer))

    def _named(self, problem: MediaProblem) -> MediaProblem:
        return problem.with_bridge(self.options.bridge(problem.address))

    def _fail(self, problem: MediaProblem) -> None:
        """It is so until this session ends."""
        problem = self._named(problem)
        self.problem = self.problem or problem
        self._record(problem)

    def _record(self, problem: MediaProblem) -> None:
        self._recorder.record(
            Kind.MEDIA_FAILED,
            stage=problem.stage,
            bridge=problem.bridge,
            address=problem.address,
            port=str(problem.port or ""),
            reason=problem.detail,
        )

    # The bridge channel.

    async def _open_channel(self, session: Session, media: MediaOffer) -> None:
        wanted, transport = self.options.channel, media.transport
        if wanted in (ChannelKind.ANY, ChannelKind.WEBSOCKET) and transport.web_sockets:
            from labctl.crowd.media.websocketline import WebSocketLine

            channel = self._channel = Channel("websocket", self._on_message)
            line = WebSocketLine(
                self._target, transport.web_sockets[0], channel, greet=self._greetings
            )
            await line.open()
        elif wanted in (ChannelKind.ANY, ChannelKind.SCTP) and media.data is not None:
            from labctl.crowd.media.datachannel import DataChannel

            channel = self._channel = Channel("sctp", self._on_message)
            await DataChannel(session.dtls, channel, greet=self._greetings).open(
                transport.sctp_port or 5000
            )
        elif wanted is not ChannelKind.NONE and self._needs_channel:
            raise MediaProblem(
                MediaStage.CHANNEL, detail=f"its offer has no channel of the kind '{wanted}'"
            )

    @property
    def _needs_channel(self) -> bool:
        """Sound comes without a channel; a picture does not, nor what was asked for by name."""
        return "video" in self._agreed or self.options.channel is not ChannelKind.ANY

    def _greetings(self) -> list[Message]:
        pictures = "video" in self._agreed
        own = self._own.get("video")
        return channels.greetings(
            last_n=-1 if pictures else 0,
            max_height=self.options.max_height if pictures else 0,
            picture=own.name if own is not None else None,
        )

    def _on_message(self, message: Message) -> None:
        channel = self._channel
        if channel is not None and sum(channel.received.values()) == 1:
            self._recorder.record(Kind.CHANNEL, line=channel.kind)

    @property
    def channel(self) -> Channel | None:
        """The channel of the present session, to send messages on."""
        return self._channel

    # What is told.

    async def answered(self, deadline: float) -> None:
        """Until every candidate has answered, or for `deadline` seconds."""
        if self._session is not None:
            await self._session.answered(deadline)

    def pending(self) -> MediaProblem | None:
        """What keeps it from being connected: known only when it failed, guessed before."""
        session = self._session
        if self.problem is not None or session is None or session.connected_at is not None:
            return self.problem
        return self._named(session.problem())

    def _on_first(self, receiver: Receiver) -> None:
        kind = FIRST_OF[receiver.media]
        self._recorder.record(kind, source=receiver.name, owner=receiver.owner)

    def view(self) -> MediaView:
        session = self._session
        address, port = (session.remote if session is not None else None) or ("", 0)
        connected = session is not None and not session.closed
        lost = session.lost() if session is not None and connected else None
        return MediaView(
            nick=self._recorder.nick,
            at=time.monotonic(),
            sessions=self._sessions,
            invited_at=self._invited_at,
            connected_at=session.connected_at if session is not None and connected else None,
            bridge=self.options.bridge(address),
            address=address,
            port=port,
            problem=self.problem,
            lost=self._named(lost) if lost is not None else None,
            reaches=session.reaches() if session is not None else (),
            channel=self._channel.view() if self._channel is not None else None,
            offered=self._offered,
            sources=tuple(one.view() for one in self.flows.receivers.values()),
            sent=tuple(
                SentView(
                    one.name, one.media, one.ssrc, one.packets, one.repeated, one.pictures_asked
                )
                for one in self.flows.senders.values()
            ),
            spoiled=session.spoiled if session is not None else 0,
        )


def _channels_of(media: MediaOffer) -> tuple[ChannelKind, ...]:
    """What an offer has, the kind that upstream's client prefers first."""
    web = (ChannelKind.WEBSOCKET,) if media.transport.web_sockets else ()
    return (*web, *((ChannelKind.SCTP,) if media.data is not None else ()))
