"""Jitsi's own page: what is asked of it, against a page that plays its part.

The original has been seen by hand only; here a page answers as it does, with real peer connections.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from labctl.browser import Snapshot
from labctl.browser.needs import BrowserError
from labctl.browser.session import Chromium
from labctl.browser.webapp import WebAppParticipant
from labctl.crowd.sync import wait

if TYPE_CHECKING:
    from playwright.async_api import Page, Route

pytestmark = pytest.mark.browser

# Two connections in one page: what a browser sends to itself.
CALL = """
<!doctype html><title>a page</title><script>
(async () => {
    const [ a, b ] = [ new RTCPeerConnection(), new RTCPeerConnection() ];
    const gathered = one => new Promise(resolve => {
        one.onicecandidate = ({ candidate }) => candidate ?? resolve();
    });
    const devices = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
    devices.getTracks().forEach(track => a.addTrack(track, devices));
    b.ontrack = ({ track }) => {
        const player = document.createElement(track.kind);
        player.autoplay = true;
        player.srcObject = new MediaStream([ track ]);
        document.body.append(player);
    };
    const whole = [ gathered(a), gathered(b) ];
    await a.setLocalDescription();
    await whole[0];
    await b.setRemoteDescription(a.localDescription);
    await b.setLocalDescription();
    await whole[1];
    await a.setRemoteDescription(b.localDescription);
    globalThis.APP = { conference: { isJoined: () => true, getMyUserId: () => 'abcd1234' } };
})();
</script><body></body>
"""
NEVER = "<!doctype html><script>APP = { conference: { isJoined: () => false } }</script>"


@dataclass(frozen=True, slots=True)
class Played(Chromium):
    """A Chromium in which every page of the lab is this text."""

    text: str
    asked: list[str] = field(default_factory=list)

    async def new_page(self) -> Page:
        page = await Chromium.new_page(self)
        page.on("framenavigated", lambda frame: self.asked.append(frame.url))

        async def play(route: Route) -> None:
            await route.fulfill(body=self.text, content_type="text/html")

        await page.route("**/*", play)
        return page


def test_a_joined_page_tells_figures_and_shows_itself(chromium: Chromium, tmp_path: Path) -> None:
    played = Played(chromium.target, chromium.browser, CALL)
    one = WebAppParticipant(played, "Room")
    wait(one.join(deadline=20))
    try:
        seen = wait(wait_for_frames(one))
        assert seen.nick == "abcd1234"
        wait(one.screenshot(tmp_path / "page.png"))
    finally:
        wait(one.leave())
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")
    address = unquote(played.asked[-1])
    assert address.startswith("https://meet.lab.internal/room#")
    assert "config.prejoinConfig.enabled=false" in address
    assert f'userInfo.displayName="{one.nick}"' in address


async def wait_for_frames(one: WebAppParticipant) -> Snapshot:
    """Until a frame was decoded and something heard."""
    async with asyncio.timeout(20):
        while True:
            seen = await one.snapshot()
            media = {track.media: track for track in seen.received}
            if len(media) == 2 and media["video"].frames_decoded and media["audio"].audio_energy:
                return seen
            await asyncio.sleep(0.2)


def test_a_page_that_does_not_join_is_told(chromium: Chromium) -> None:
    one = WebAppParticipant(Played(chromium.target, chromium.browser, NEVER), "room")
    with pytest.raises(BrowserError, match="Jitsi's page did not join room 'room': "):
        wait(one.join(deadline=1))
    wait(one.leave())
