"""Figures, results, flags and needs: without a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from labctl.browser import needs
from labctl.browser.figures import CandidatePair, Snapshot, parse_snapshot
from labctl.browser.flags import render_flags
from labctl.browser.group import group_result
from labctl.cli.browsers import BrowserPlan, run_browsers
from labctl.cli.crowd import crowd_command
from labctl.core.errors import UsageError
from labctl.crowd import Target
from labctl.host.needs import Need
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.model import Spec
from labctl.topology.workdir import Workdir

TRACK: dict[str, Any] = {
    "owner": "b", "name": "b-v0", "media": "video", "codec": "video/VP8", "ssrc": 1,
    "packets": 10, "bytes": 100, "lost": 0, "jitter": 0.01, "frames_decoded": 5,
    "frames_dropped": 0, "key_frames": 1, "freezes": 0, "width": 320, "height": 180,
    "plis": 0, "nacks": 0, "audio_energy": 0, "audio_seconds": 0, "concealed": 0,
    "first_packet": 2000, "last_packet": 3000, "longest_gap": 250, "longest_gap_at": None,
}  # fmt: skip
AUDIO = {**TRACK, "name": "b-a0", "media": "audio", "frames_decoded": 0, "audio_energy": 0.5}
SENT = {
    "ssrc": 2, "media": "audio", "packets": 1, "bytes": 1, "frames": 0, "key_frames": 0,
    "plis": 0, "nacks": 0, "target_bitrate": 0, "limited_by": "",
}  # fmt: skip
END = {"address": "192.168.56.106", "port": 10000, "protocol": "udp", "type": "host"}


def snapshot(nick: str, **media: Any) -> Snapshot:
    told = {
        "state": "connected",
        "ice": "connected",
        "pair": {
            "local": END, "remote": END, "rtt": 0.001, "available_out": 3e5,
            "dtls": "connected", "srtp": "AES_CM_128_HMAC_SHA1_80",
        },
        "received": [TRACK, AUDIO],
        "sent": [SENT],
        **media,
    }  # fmt: skip
    return parse_snapshot(
        {
            "nick": nick, "vnode": None, "now": 5000, "occupants": {nick: "participant"},
            "events": [{"kind": "joined", "at": 1500, "details": {"role": "moderator"}}],
            "channel": {"kind": "sctp", "open": True, "received": {}, "last": {}}, "media": told,
        }
    )  # fmt: skip


def test_milliseconds_become_seconds() -> None:
    seen = snapshot("a")
    (video, audio) = seen.received
    assert (video.first_packet, video.last_packet, video.longest_gap) == (2.0, 3.0, 0.25)
    assert video.longest_gap_at is None
    assert (seen.now, seen.events[0].at) == (5.0, 1.5)
    assert seen.track("b", "audio") is audio
    assert seen.track("c", "audio") is None
    assert isinstance(seen.pair, CandidatePair)
    assert str(seen.pair.remote) == "192.168.56.106:10000/udp (host)"
    assert seen.last("invited", "joined") is seen.events[0]


def test_without_a_session_there_is_no_media() -> None:
    seen = replace(snapshot("a"), state="none")
    assert group_result([seen], {}).lacks == {"a": "has no media (connection: none)"}


@pytest.mark.parametrize(
    ("received", "lack"),
    [
        pytest.param([TRACK, AUDIO], None, id="all"),
        pytest.param([TRACK], "hears 0 of 1", id="no sound"),
        pytest.param([{**TRACK, "frames_decoded": 0}, AUDIO], "sees 0 of 1", id="no frame decoded"),
        pytest.param(
            [TRACK, {**AUDIO, "audio_energy": 0}], "hears 0 of 1", id="packets of silence"
        ),
        pytest.param([], "hears 0 of 1 and sees 0 of 1", id="nothing"),
    ],
)
def test_the_result_is_what_is_heard_and_seen(
    received: list[dict[str, Any]], lack: str | None
) -> None:
    result = group_result([snapshot("a", received=received), snapshot("b")], {})
    assert result.lacks == ({"a": lack} if lack else {})
    assert result.well is (lack is None)


def test_visitors_are_not_missed() -> None:
    visitor = snapshot("v", sent=[])
    first = snapshot("a", received=[])
    assert group_result([first, visitor], {}).well, "the only sender hears nobody, and nobody sends"


def test_failures_to_join_are_in_the_result() -> None:
    result = group_result([snapshot("a", received=[])], {"b": "did not join"})
    assert result.lacks == {"b": "did not join"}
    assert result.to_json()["lacks"] == {"b": "did not join"}
    assert result.to_json()["browsers"][0]["pair"]["remote"]["port"] == 10000


def test_names_lead_to_the_lab_and_nowhere_else() -> None:
    target = Target(
        IPv4Address("192.168.56.105"), 443, "meet.lab.internal", Path("ca.crt"), lambda _: None
    )
    flags = render_flags(target)
    (rules,) = [flag for flag in flags if flag.startswith("--host-resolver-rules=")]
    assert rules.partition("=")[2].split(", ") == [
        "MAP meet.lab.internal:443 192.168.56.105:443",
        "MAP * ~NOTFOUND",
    ]
    assert not [flag for flag in flags if "ignore-certificate" in flag or "key-log" in flag]
    target.keys = Path("/tmp/keys.log")
    assert "--ssl-key-log-file=/tmp/keys.log" in render_flags(target)


def test_what_is_missing_is_said_once_with_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = (
        Need("no-such-browser", ("chromium",), "is the browser"),
        Need("no-such-tool", ("libnss3-tools",), "makes trust"),
    )
    monkeypatch.setattr(needs, "BROWSER", absent)
    monkeypatch.setattr(needs, "has_playwright", lambda: False)
    with pytest.raises(needs.BrowserError) as raised:
        needs.want_browser()
    assert raised.value.message == (
        "Participants in a browser need 'no-such-browser' and 'no-such-tool' and "
        "the Python package 'playwright', which this machine lacks."
    )
    hint = raised.value.hint or ""
    assert "chromium libnss3-tools" in hint
    assert hint.endswith(f"-r {needs.PLAYWRIGHT_LOCK}")
    assert needs.PLAYWRIGHT_LOCK.is_file()


def test_one_browser_alone_is_refused(tmp_path: Path) -> None:
    plan = BrowserPlan("r", 1, 0.0, tmp_path, own_page=True)
    with pytest.raises(UsageError, match="One browser alone"):
        run_browsers(Lab(Workdir(tmp_path), resolve(Spec())), plan, as_json=False)


def test_the_verb_offers_browsers() -> None:
    told = CliRunner().invoke(crowd_command, ["--help"]).output
    assert re.search(r"--browsers +<?N>?", told) and re.search(r"--report +<?DIR>?", told)
