"""Conference requests over XMPP and HTTP (docs/facts/signalling.md, 1 to 3)."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from authority import Refused, Session
from focus import FocusManager
from services import Connection
from stanzas import FOCUS, Element, bare, el, find_all, iq_error, iq_result
from visitors import Asked, must_redirect, must_wait, visitors_supported

ROOM = re.compile(r"[^\s@/'\"&:<>]+@[^\s@/'\"&:<>]+")
ESCAPES = {
    "\\20": " ", "\\22": '"', "\\26": "&", "\\27": "'", "\\2f": "/", "\\3a": ":", "\\3c": "<",
    "\\3e": ">", "\\40": "@", "\\5c": "\\",
}  # fmt: skip


class BadRequest(Exception):
    """The request cannot be understood."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    room: str
    sender: str
    properties: Mapping[str, str]
    token: str | None = None
    machine: str | None = None
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What is replied."""

    room: str
    focus_jid: str
    ready: bool
    vnode: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    session: Session | None = None


def unescape_proxied(sender: str, proxy: str | None) -> str:
    """The real sender of an IQ that came through client_proxy (XEP-0106 in the resource)."""
    domain, _, escaped = sender.partition("/")
    if proxy is None or domain.lower() != proxy or not escaped:
        return sender
    return re.sub(r"\\[0-9a-f]{2}", lambda found: ESCAPES.get(found[0], found[0]), escaped)


def token_ids(token: str | None) -> tuple[str, ...]:
    """User and group of a JWT, which is not verified here (nor by the original)."""
    try:
        body = (token or "").split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        context = claims.get("context", {})
        found = (context.get("user", {}).get("id"), context.get("group"))
        return tuple(str(id) for id in found if id)
    except (IndexError, ValueError, AttributeError):
        return ()


class RequestHandler:
    """Decides and answers."""

    def __init__(self, focus: FocusManager) -> None:
        self.focus = focus
        self.context = focus.context

    async def handle_iq(self, iq: Element, child: Element) -> Element | None:
        """The reply to a `conference` IQ, or None where upstream sends none."""
        room = child.get("room")
        if not room:
            return iq_error(iq, "bad-request", "No 'room' specified.")
        sender = unescape_proxied(iq.get("from", ""), self.context.config.xmpp.client_proxy)
        properties = {
            item.get("name", ""): item.get("value", "")
            for item in find_all(child, FOCUS, "property")
        }
        try:
            answer = await self.answer(
                Request(
                    room,
                    sender,
                    properties,
                    child.get("token"),
                    child.get("machine-uid"),
                    child.get("session-id"),
                )
            )
        except BadRequest as error:
            return iq_error(iq, "bad-request", str(error))
        except Refused as error:
            own = [el(FOCUS, error.own)] if error.own else []
            return iq_error(iq, error.condition, error.text or None, *own)
        except Exception as error:
            self.context.journal.severe(
                "ConferenceIqHandler.handleConferenceIq#268", f"Failed to handle request: {error!r}"
            )
            return None
        attrs = {
            "focusjid": answer.focus_jid,
            "ready": "true" if answer.ready else "false",
            "room": room,
        }
        if answer.vnode:
            attrs["vnode"] = answer.vnode
        if answer.session is not None:
            attrs |= {"session-id": answer.session.id, "identity": answer.session.identity}
        reply = el(FOCUS, "conference", attrs)
        for name, value in answer.properties.items():
            reply.append(el(FOCUS, "property", {"value": value, "name": name}))
        return iq_result(iq, reply)

    async def answer(self, request: Request) -> Answer:
        """The answer; raises BadRequest, or what joining a room raised."""
        journal, where = (
            self.context.journal.child(thread=45),
            "ConferenceIqHandler.handleConferenceIq#",
        )
        token = "true" if request.token else "false"
        journal.info(
            where + "126",
            f"Conference request for room {request.room}, from {request.sender}, token={token}",
        )
        if not ROOM.fullmatch(bare(request.room)):
            raise BadRequest(f"Invalid room: {request.room}")
        asked = Asked.from_properties(request.properties, token_ids(request.token))
        settings, room = self.context.config.visitors, bare(request.room).lower()
        existing = self.focus.conferences.get(room)
        live = existing is not None and existing.metadata.live
        authority = self.context.authority
        session = authority.authenticate(
            request.sender,
            room,
            machine=request.machine,
            session_id=request.session,
            exists=existing is not None or self._is_breakout(room),
        )
        if settings.live_room and asked.supported and asked.requested and not live:
            return Answer(
                request.room, self._focus_jid(self.context.main), False, None, {"live": "false"}
            )
        conference = await self.focus.request(request.room, request.properties)
        enabled = self.context.visitors.enabled
        supported = visitors_supported(enabled, settings, conference.metadata)
        logins = {"authentication": "false"}
        if authority.domain is not None:
            logins = {"authentication": "true", "externalAuth": "false"}
        properties = {
            **logins,
            "visitors-supported": "true" if supported else "false",
        }
        if must_wait(asked, conference.metadata, settings):
            properties["live"] = "false"
            return Answer(request.room, self._focus_jid(self.context.main), False, None, properties)
        if not asked.supported:
            journal.info(where + "186", "Endpoint with no visitor support.")
        elif not enabled:
            journal.fine(where + "188", "Visitors are disabled, not redirecting.")
        if must_redirect(asked, conference.room_state(), settings, manager_enabled=enabled):
            vnode = await conference.visitors.take_vnode()
            if vnode is not None:
                journal.info(where + "194", f"Redirecting to {vnode.name}")
                return Answer(
                    request.room, self._focus_jid(vnode), True, vnode.name, properties, session
                )
        main = self._focus_jid(self.context.main)
        return Answer(request.room, main, conference.ready, None, properties, session)

    def _is_breakout(self, room: str) -> bool:
        """Breakout rooms ask for no login: their plugin knows who may enter."""
        components = self.context.main.components
        hosts = {it.address for it in components if it.kind == "breakout_rooms"}
        return room.partition("@")[2] in hosts

    @staticmethod
    def _focus_jid(connection: Connection) -> str:
        account = connection.client.account
        return f"{account.username}@{account.domain}"

    async def answer_http(self, body: bytes, token: str | None) -> dict[str, object]:
        """The JSON of `/conference-request/v1`; empty values are left out."""
        try:
            tree = json.loads(body)
            room, properties = str(tree["room"]), tree.get("properties") or {}
            texts = {str(name): str(value) for name, value in properties.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadRequest(f"{type(error).__name__}: {error}") from error
        machine, known = tree.get("machineUid"), tree.get("sessionId")
        answer = await self.answer(Request(room, "null", texts, token, machine, known))
        reply: dict[str, object] = {
            "room": answer.room,
            "ready": answer.ready,
            "focusJid": answer.focus_jid,
            "sessionId": answer.session.id if answer.session else tree.get("sessionId"),
            "machineUid": tree.get("machineUid"),
            "vnode": answer.vnode,
            "properties": answer.properties,
        }
        return {key: value for key, value in reply.items() if value not in (None, "", {})}
