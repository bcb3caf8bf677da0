"""The crowd: participants of a conference without browsers.

Each one speaks XMPP over WebSocket (RFC 7395) through the lab's nginx, with TLS verified against
the lab's own CA, and does what Jitsi's client does as far as Jicofo and Prosody can tell.  One
asyncio loop, one state object per participant; media is in
`labctl.crowd.media`.
"""

from labctl.crowd.crowd import Crowd
from labctl.crowd.errors import CrowdError, StanzaError
from labctl.crowd.events import Event, Kind, Occupant, View
from labctl.crowd.options import Options
from labctl.crowd.participant import Participant
from labctl.crowd.target import Target

__all__ = [
    "Crowd",
    "CrowdError",
    "Event",
    "Kind",
    "Occupant",
    "Options",
    "Participant",
    "StanzaError",
    "Target",
    "View",
]
