"""The visitor rooms of a conference: one per vnode in use (docs/facts/visitors.md, 4 and 5)."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from chatroom import ChatRoom, RoomListener
from services import Connection, connect_vnode, disconnect_vnode
from stanzas import VISITORS, Element
from visitors import choose_vnode

if TYPE_CHECKING:
    from conference import Conference


class VnodeUnavailable(Exception):
    """The vnode that the conference uses cannot be reached."""


class VisitorRooms:
    """Rooms by vnode, and who was sent there and has not arrived yet."""

    def __init__(self, conference: Conference, listener: RoomListener) -> None:
        self.conference = conference
        self.context = conference.context
        self.rooms: dict[str, ChatRoom] = {}
        self._listener = listener
        self._pending: dict[str, list[float]] = {}
        self._sent = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def joined(self, vnode: str) -> None:
        """A visitor arrived; one of those that were expected."""
        waiting = self._pending.get(vnode)
        if waiting:
            waiting.pop(0)
        self.count_soon()

    def removed(self, vnode: str) -> None:
        """The room on a vnode was destroyed: its vnode is no longer in use."""
        self.rooms.pop(vnode, None)
        self.count_soon()
        self._tell(disconnect_vnode(vnode))

    def stop(self) -> None:
        """The conference is over; the rooms themselves are left by the conference."""
        if self._timer is not None:
            self._timer.cancel()
        for vnode in self.rooms:
            self._tell(disconnect_vnode(vnode))

    def count(self, vnode: str) -> int:
        """Visitors on a vnode and those redirected in the last minute and not yet seen."""
        horizon = time.monotonic() - self.context.config.visitors.join_latency
        waiting = [at for at in self._pending.get(vnode, []) if at > horizon]
        self._pending[vnode] = waiting
        return len(self.rooms[vnode].members) + len(waiting)

    async def take_vnode(self) -> Connection | None:
        """The vnode for one more visitor; joins its room first when it is new.

        Raises VnodeUnavailable, MucError or TimeoutError.
        """
        used = {name: self.count(name) for name in self.rooms}
        registered = [name for name, one in self.context.vnodes.items() if one.registered]
        name = choose_vnode(
            used, registered, list(self.context.vnodes),
            max_per_node=self.context.config.visitors.max_per_node, chooser=self.context.chooser,
        )  # fmt: skip
        if name is None:
            self.conference.journal.warning(
                "JitsiMeetConferenceImpl.redirectVisitor#2030",
                "Visitor node required, but none available.",
            )
            return None
        self._pending.setdefault(name, []).append(time.monotonic())
        if name not in self.rooms:
            await self._join(self.context.vnodes[name])
        return self.context.vnodes[name]

    async def _join(self, vnode: Connection) -> None:
        main_domain = self.context.config.xmpp.xmpp_domain
        jid = self.conference.room_jid.replace(main_domain, vnode.xmpp_domain)
        self.conference.journal.child(visitor_muc=jid).info(
            "JitsiMeetConferenceImpl.joinVisitorRoom#2085", f"Joining {jid}"
        )
        room = ChatRoom(vnode, jid, vnode.name, self._listener)
        self.rooms[vnode.name] = room  # before joining, as upstream: later ones follow
        if not vnode.registered:
            raise VnodeUnavailable(f"XMPP connection {vnode.name} is not registered")
        await room.join(self.conference.presence())
        if self.context.config.visitors.auto_broadcast:
            self._tell(connect_vnode(vnode.name))
        else:
            self.conference.journal.info(
                "JitsiMeetConferenceImpl.redirectVisitor#2040",
                "Redirected visitor, broadcast not enabled yet.",
            )

    def _tell(self, child: Element) -> None:
        client = self.context.main.client
        client.spawn(
            self.context.visitors.send(self.conference.room_jid, child), where=f"{VISITORS}#1"
        )

    def count_soon(self) -> None:
        """Update `visitor-count`, at most every notification interval; the first change at once."""
        if self._timer is not None or self.conference.stopped:
            return
        interval = self.context.config.visitors.notification_interval
        wait = self._sent + interval - time.monotonic()
        if wait > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait, self._send_count)
        else:
            self._send_count()

    def _send_count(self) -> None:
        self._timer = None
        if not self.conference.stopped:
            self._sent = time.monotonic()
            count = sum(len(room.members) for room in self.rooms.values())
            self.conference.set_property("visitor-count", str(count))
