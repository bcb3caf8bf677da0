"""Where a participant stands: a value made of what it has received."""

from __future__ import annotations

from labctl.crowd.events import NOTHING, Kind, View
from labctl.crowd.inbox import Inbox
from labctl.crowd.recorder import Recorder


def view_of(
    inbox: Inbox, recorder: Recorder, *, room: str, state: str, jid: str | None, vnode: str | None
) -> View:
    """The view of a participant at this moment."""
    invited = recorder.last(Kind.INVITED, Kind.REINVITED) if inbox.sid else None
    details = invited.details if invited is not None else NOTHING
    return View(
        nick=recorder.nick,
        room=room,
        state=state,
        jid=jid,
        vnode=vnode,
        role=inbox.role,
        affiliation=inbox.affiliation,
        occupants=dict(inbox.occupants),
        sid=inbox.sid,
        bridge_session=details.get("bridge_session"),
        region=details.get("region"),
        conference=dict(inbox.conference),
        events=tuple(recorder.events),
    )
