"""Asking Jicofo for a conference: over XMPP, or over HTTP before there is a stream."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import chain, repeat
from typing import Any

from labctl.crowd import conference
from labctl.crowd.conference import Answer
from labctl.crowd.errors import CrowdError, StanzaError
from labctl.crowd.events import Kind
from labctl.crowd.http import HttpAnswer, HttpLine
from labctl.crowd.names import RoomName
from labctl.crowd.recorder import Recorder
from labctl.crowd.stream import Stream
from labctl.crowd.target import Target

BACK_OFF = (0.5, 1.0, 2.0, 4.0)
"""Seconds between conference requests while the focus says ready=false; the last one repeats."""
WHAT = "The conference request"
CONDITIONS = {400: "bad-request", 403: "not-authorized"}
"""Jicofo's statuses as the XMPP conditions that they stand for (docs/facts/signalling.md, 3)."""


class Asking(StrEnum):
    """How a client sends its conference request."""

    XMPP = "xmpp"
    HTTP = "http"
    """What config.js turns on with `conferenceRequestUrl`."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one participant asks for, as often as it asks."""

    name: RoomName
    want_visitor: bool = False
    token: str | None = None
    machine: str = field(default_factory=lambda: secrets.token_hex(16))


async def ask_over_xmpp(stream: Stream, target: Target, question: Question) -> Answer:
    """The focus's answer to an IQ; StanzaError where it refuses."""
    request = conference.render_request(
        room_jid=question.name.address(target.domain),
        machine=question.machine,
        want_visitor=question.want_visitor,
        token=question.token,
    )
    iq = await stream.request("set", request, to=target.focus, what=WHAT)
    return conference.parse_answer(iq)


async def ask_over_http(target: Target, question: Question) -> Answer:
    """The focus's answer to a POST; StanzaError where it refuses."""
    line = HttpLine(target)
    body = json.dumps(
        {
            "room": question.name.address(target.domain),
            "machineUid": question.machine,
            "properties": conference.properties(want_visitor=question.want_visitor),
        }
    )
    path = question.name.service("conference-request/v1")
    headers = {"Authorization": f"Bearer {question.token}"} if question.token else {}
    try:
        answer = await line.post(path, body.encode(), kind="application/json", headers=headers)
    finally:
        line.cut()
    return _parse(answer)


def _parse(answer: HttpAnswer) -> Answer:
    if answer.status in CONDITIONS:
        words = answer.body.decode(errors="replace")
        raise StanzaError(WHAT, condition=CONDITIONS[answer.status], text=words)
    if answer.status != 200:
        raise CrowdError(f"{WHAT} was answered with HTTP {answer.status}.")
    try:
        data: Mapping[str, Any] = json.loads(answer.body)
        return Answer(
            ready=data.get("ready") is True,
            vnode=data.get("vnode") or None,
            focus=str(data.get("focusJid", "")),
        )
    except (ValueError, AttributeError) as error:
        raise CrowdError(f"{WHAT} was answered with what is not JSON: {error}.") from error


async def ask_until_ready(
    ask: Callable[[], Awaitable[Answer]], recorder: Recorder, *, focus: str
) -> Answer:
    """Ask until the focus is ready; ends by the caller's deadline."""
    pauses = chain(BACK_OFF, repeat(BACK_OFF[-1]))
    while True:
        recorder.stage = f"for '{focus}' to answer the conference request"
        answer = await ask()
        if answer.ready:
            recorder.record(Kind.ANSWERED, vnode=answer.vnode or "", focus=answer.focus)
            if answer.vnode is not None:
                recorder.record(Kind.REDIRECTED, vnode=answer.vnode)
            return answer
        recorder.record(Kind.WAITING)
        recorder.stage = f"for '{focus}' to be ready (it said ready='false')"
        await recorder.pause(next(pauses))
