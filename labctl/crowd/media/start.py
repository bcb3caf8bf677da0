"""The beginning of a call: libraries are loaded before anything is timed."""

from __future__ import annotations

from labctl.crowd.media.call import Call
from labctl.crowd.media.options import ChannelKind, MediaOptions
from labctl.crowd.recorder import Recorder
from labctl.crowd.target import Target


def start(target: Target, options: MediaOptions, recorder: Recorder) -> Call:
    """The call of one participant, before it is invited.

    SCTP's library takes a quarter of a second to load: in the middle of a call that would be a gap
    for everybody in this process.
    """
    if options.channel in (ChannelKind.ANY, ChannelKind.SCTP):
        import labctl.crowd.media.datachannel  # noqa: F401  only to have it loaded
    return Call(target, options, recorder)
