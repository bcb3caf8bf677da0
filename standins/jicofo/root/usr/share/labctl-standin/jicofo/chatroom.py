"""A conference's room, in the main Prosody or on a vnode: who is in it, as Jicofo sees it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from muc import MucRoom, Occupant
from services import Connection
from stanzas import CAPS, CLIENT, JITMEET, Element, bare, el, find

JIBRI = "http://jitsi.org/protocol/jibri"
JIGASI = "http://jitsi.org/protocol/jigasi"
TRANSCRIBER = "http://jitsi.org/protocol/transcriber"


class Role(StrEnum):
    """Upstream's MemberRole."""

    OWNER = "OWNER"
    MODERATOR = "MODERATOR"
    PARTICIPANT = "PARTICIPANT"
    VISITOR = "VISITOR"


def parse_role(occupant: Occupant) -> Role:
    """The role from affiliation and MUC role."""
    if occupant.affiliation == "owner":
        return Role.OWNER
    if occupant.affiliation == "admin" or occupant.role == "moderator":
        return Role.MODERATOR
    return Role.VISITOR if occupant.role in ("visitor", "none") else Role.PARTICIPANT


@dataclass(slots=True)
class Member:
    """An occupant other than the focus."""

    id: str
    occupant_jid: str
    room: str
    role: Role
    jid: str | None
    stats_id: str | None = None
    region: str | None = None
    audio_muted: bool = True
    video_muted: bool = True
    caps: tuple[str, str] | None = None
    external: frozenset[str] = frozenset()
    status: str | None = None
    """What it said when it left."""

    @property
    def counts(self) -> bool:
        """Counted against max-participants: no recorder, no transcriber."""
        return not self.external & {JIBRI, TRANSCRIBER}

    def line(self, room: str) -> str:
        """The text of the log line about joining."""
        words = {True: "true", False: "false"}
        return (
            f"Member joined:{self.id} stats-id={self.stats_id or 'null'} "
            f"region={self.region or 'null'} audioMuted={words[self.audio_muted]} "
            f"videoMuted={words[self.video_muted]} role={self.role} "
            f"isJibri={words[JIBRI in self.external]} isJigasi={words[JIGASI in self.external]} "
            f"isTranscriber={words[TRANSCRIBER in self.external]}, room={room}"
        )


def parse_member(occupant: Occupant, presence: Element, room: str) -> Member:
    """The member that a presence describes (docs/facts/signalling.md, 4)."""
    member = Member(
        id=occupant.nick,
        occupant_jid=f"{room}/{occupant.nick}",
        room=room,
        role=parse_role(occupant),
        jid=occupant.jid,
        stats_id=_text(presence, "stats-id"),
        region=_text(presence, "jitsi_participant_region"),
    )
    caps = find(presence, CAPS, "c")
    if caps is not None and caps.get("ver"):
        member.caps = (caps.get("node", ""), caps.get("ver", ""))
    features = find(presence, CLIENT, "features")
    if features is None:
        features = find(presence, "http://jitsi.org/protocol/jigasi", "features")
    if features is not None:
        member.external = frozenset(item.get("var", "") for item in features)
    _apply_muted(member, presence)
    return member


def _text(presence: Element, name: str) -> str | None:
    child = find(presence, CLIENT, name)
    return (child.text or "").strip() or None if child is not None else None


def _apply_muted(member: Member, presence: Element) -> None:
    info = _text(presence, "SourceInfo")
    if info is None:
        member.audio_muted = _text(presence, "audiomuted") != "false"
        member.video_muted = _text(presence, "videomuted") != "false"
        return
    try:
        sources = json.loads(info)
        live = [name for name, value in sources.items() if value.get("muted") is False]
    except (ValueError, AttributeError):
        return
    member.audio_muted = not any("-a" in name for name in live)
    member.video_muted = not any("-v" in name for name in live)


@dataclass(slots=True)
class RoomListener:
    """What the conference is told."""

    joined: Callable[[ChatRoom, Member], None]
    left: Callable[[ChatRoom, Member], None]
    removed: Callable[[ChatRoom], None]


@dataclass(slots=True)
class RoomInfo:
    """What the owner's form says."""

    meeting_id: str | None = None
    breakout: bool = False
    main_room: str | None = None
    presets: bool = False


@dataclass(slots=True, eq=False)
class ChatRoom:
    """One room of a conference; `vnode` is None in the main Prosody."""

    connection: Connection
    jid: str
    vnode: str | None
    listener: RoomListener
    members: dict[str, Member] = field(default_factory=dict)
    info: RoomInfo = field(default_factory=RoomInfo)
    muc: MucRoom = field(init=False)

    def __post_init__(self) -> None:
        nick = self.connection.client.account.username
        self.muc = MucRoom(
            self.connection.client, self.jid, nick, listener=self._presence, removed=self._removed
        )
        self.jid = self.muc.room

    async def join(self, children: Sequence[Element]) -> None:
        """Enter, ask for the owner's form, show real JIDs; raises MucError or TimeoutError."""
        self.muc.set_presence(children, send=False)
        await self.muc.join()
        form = await self.muc.configuration()
        self.info = RoomInfo(
            meeting_id=form.get("muc#roominfo_meetingId") or None,
            breakout=form.get("muc#roominfo_isbreakout") in ("1", "true"),
            main_room=form.get("muc#roominfo_breakout_main_room") or None,
            presets=form.get("muc#roominfo_conference_presets_service_enabled") in ("1", "true"),
        )
        await self.muc.configure(whois="anyone")

    def _presence(self, occupant: Occupant, stanza: Element) -> None:
        if stanza.get("type") == "unavailable":
            member = self.members.pop(occupant.nick, None)
            if member is not None:
                member.status = _text(stanza, "status")
                self.listener.left(self, member)
            return
        if stanza.get("type") is not None:
            return
        fresh = parse_member(occupant, stanza, self.jid)
        if self.vnode is not None and fresh.role is not Role.VISITOR:
            return  # a main participant that is mirrored to the vnode
        known = self.members.get(occupant.nick)
        self.members[occupant.nick] = fresh
        if known is None:
            self.listener.joined(self, fresh)

    def _removed(self) -> None:
        self.listener.removed(self)

    def member_jid(self, member: Member) -> str | None:
        """The account of a member, where the room shows it."""
        return bare(member.jid) if member.jid else None


def etherpad(room: str) -> Element:
    """The `etherpad` element of the focus' presence."""
    name = room.partition("@")[0]
    return el(JITMEET + "/etherpad", "etherpad", None, name)
