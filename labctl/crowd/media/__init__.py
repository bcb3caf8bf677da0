"""Media for the crowd: participants that do after session-accept what a client does.

ICE to every candidate of the bridge, DTLS with the fingerprints of the Jingle, SRTP, sound and
picture from recordings, RTCP, and the bridge channel; sources are counted as they arrive.  No
codec runs.  What a crowd needs is `Options(media=...)`:

    with crowd_in(target, "room", options=Options(media=MediaOptions.of(lab.topology))) as crowd:
        crowd.join(2)
        crowd.wait_media(deadline=15)                  # all hear each other, or MediaProblem
        crowd.wait_media(media=("audio", "video"), deadline=15)
        crowd.wait_channel(deadline=10)                # the bridge answers on its channel
        reaches = crowd.probe(deadline=3)              # each candidate: reachable, or the stage
        began = time.monotonic()
        ...                                            # a fault
        crowd.wait_media(deadline=60, after=time.monotonic())   # sound is back
        gaps = [gap for view in crowd.media() for gap in view.gaps_since(began)]

`MediaProblem` names `bridge` (its nick, where the options know it), `address`, `port` and `stage`;
`Reach` is one candidate; `MediaView` is one participant: `sources` with packets, bytes, loss,
jitter and gaps, `channel`, `sent`, `first("audio")` in seconds from the invitation.  The events
MEDIA, MEDIA_FAILED, CHANNEL, HEARD and SEEN are recorded beside those of XMPP, so `wait_for` and
the phases of the figures know them.  After a re-invitation everything is done again; counters go on
under the sources' names, and the time between is a gap.

The modules: `options`, `problem` and `view` are values and import nothing heavy; `offer`,
`sources` and `accept` are Jingle; `check`, `agent`, `sockets` and `relay` are ICE; `dtls` and
`session` carry packets; `rtp`, `rtcp` and `feedback` are bytes; `sender` and `receiver` are one
source each, `flows` all of a participant's; `channel`, `datachannel` and `websocketline` are the
bridge channel; `call` holds it together, `waits` waits.  Libraries are loaded when the first one
joins.
"""

from labctl.crowd.media.options import ChannelKind, MediaKind, MediaOptions, RelayKind
from labctl.crowd.media.problem import MediaProblem, MediaStage, Reach
from labctl.crowd.media.receiver import Gap, SourceView
from labctl.crowd.media.view import MediaView, SentView, unreachable

__all__ = [
    "ChannelKind",
    "Gap",
    "MediaKind",
    "MediaOptions",
    "MediaProblem",
    "MediaStage",
    "MediaView",
    "Reach",
    "RelayKind",
    "SentView",
    "SourceView",
    "unreachable",
]
