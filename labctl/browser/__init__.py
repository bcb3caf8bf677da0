"""Participants in a real browser: Debian's Chromium without a window, with fake devices.

Each one is a page of ours (`page/`) that speaks XMPP and Jingle itself and leaves ICE, DTLS, SRTP,
congestion control and decoding to the browser; or Jitsi's own web application, if the lab has it.
Playwright drives Chromium.  Only this package needs them; a lab without browsers does not.
"""

from labctl.browser.figures import BrowserEvent, ReceivedTrack, SentTrack, Snapshot
from labctl.browser.participant import BrowserOptions, BrowserParticipant
from labctl.browser.session import Chromium, open_chromium

__all__ = [
    "BrowserEvent",
    "BrowserOptions",
    "BrowserParticipant",
    "Chromium",
    "ReceivedTrack",
    "SentTrack",
    "Snapshot",
    "open_chromium",
]
