"""The stand-in Jicofo's moderation: who is muted, and who may unmute; no XMPP server."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.standins import paths  # noqa: F401

import chatroom  # isort: skip
import moderation  # isort: skip
import stanzas  # isort: skip

ROOM = "r@conference.m"
COMPONENT = "avmoderation.m"
AUDIO = "http://jitsi.org/jitmeet/audio"


class Client:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[stanzas.Element] = []

    def spawn(self, work: object, *, where: str) -> None:
        assert where

    def ask(self, request: stanzas.Element) -> None:
        self.sent.append(request)


class Scene:
    """A conference of a moderator and a participant, without any server."""

    def __init__(self) -> None:
        self.client = Client()
        self.warnings: list[str] = []
        journal = SimpleNamespace(
            info=lambda where, text: None, warning=lambda where, text: self.warnings.append(text)
        )
        members = {
            nick: chatroom.Member(nick, f"{ROOM}/{nick}", ROOM, role, f"{nick}@m/x")
            for nick, role in (("mo", chatroom.Role.OWNER), ("pa", chatroom.Role.PARTICIPANT))
        }
        self.conference = SimpleNamespace(
            moderation=moderation.Moderation(), room_jid=ROOM, journal=journal,
            main=SimpleNamespace(members=members, connection=SimpleNamespace(client=self.client)),
        )  # fmt: skip
        context = SimpleNamespace(journal=journal)
        focus: Any = SimpleNamespace(conferences={ROOM: self.conference}, context=context)
        self.handler = moderation.ModerationHandler(focus)

    def hear(self, sender: str = COMPONENT, **words: object) -> bool:
        text = json.dumps({"type": "av_moderation", "room": ROOM, **words})
        note = stanzas.el(stanzas.JITMEET, "json-message", None, text)
        message = stanzas.el(stanzas.CLIENT, "message", {"from": sender}, note)
        return self.handler.take(message, COMPONENT)

    def mute(self, sender: str, target: str, wanted: str) -> str:
        """'result', or the condition of the error."""
        payload = stanzas.el(AUDIO, "mute", {"jid": f"{ROOM}/{target}"}, wanted)
        attributes = {"from": f"{ROOM}/{sender}", "id": "1", "type": "set"}
        request = stanzas.el(stanzas.CLIENT, "iq", attributes, payload)
        answer = self.handler.handle(request, payload)
        return "result" if answer.get("type") == "result" else stanzas.parse_error(answer)[0]


def test_everybody_but_the_actor_is_muted() -> None:
    scene = Scene()
    scene.hear(enabled=True, mediaType="audio", actor=f"{ROOM}/mo")
    [sent] = scene.client.sent
    assert (sent.get("to"), sent[0].tag, sent[0].text) == (f"{ROOM}/pa", f"{{{AUDIO}}}mute", "true")


def test_enabling_twice_mutes_once() -> None:
    scene = Scene()
    for _ in range(2):
        scene.hear(enabled=True, mediaType="audio", actor=f"{ROOM}/mo")
    assert len(scene.client.sent) == 1


def test_unmuting_takes_leave_while_it_is_moderated() -> None:
    scene = Scene()
    assert scene.mute("pa", "pa", "false") == "result"
    scene.hear(enabled=True, mediaType="audio", actor=f"{ROOM}/mo")
    assert scene.mute("pa", "pa", "false") == "not-allowed"
    assert scene.mute("mo", "mo", "false") == "result"
    scene.hear(mediaType="audio", whitelists={"audio": [f"{ROOM}/pa"]})
    assert scene.mute("pa", "pa", "false") == "result"
    scene.hear(mediaType="audio", whitelists={"audio": []})
    scene.hear(enabled=False, mediaType="audio")
    assert scene.mute("pa", "pa", "false") == "result"


@pytest.mark.parametrize(
    ("sender", "target", "wanted", "expected"),
    [
        pytest.param("mo", "pa", "true", "result", id="moderator mutes another"),
        pytest.param("pa", "mo", "true", "not-allowed", id="participant mutes another"),
        pytest.param("mo", "pa", "false", "not-allowed", id="nobody unmutes another"),
        pytest.param("pa", "pa", "true", "result", id="everybody mutes themselves"),
        pytest.param("xx", "pa", "true", "internal-server-error", id="who is not there"),
    ],
)
def test_who_mutes_whom(sender: str, target: str, wanted: str, expected: str) -> None:
    scene = Scene()
    assert scene.mute(sender, target, wanted) == expected
    assert bool(scene.client.sent) is (expected == "result" and sender != target)


def test_only_the_component_is_believed() -> None:
    scene = Scene()
    assert not scene.hear("mallory@m/x", enabled=True, mediaType="audio", actor=f"{ROOM}/mo")
    assert scene.conference.moderation.enabled == set()


def test_nonsense_is_logged_and_changes_nothing() -> None:
    scene = Scene()
    assert scene.hear(enabled=True, mediaType="smell")
    assert scene.warnings and "smell" in scene.warnings[0]
    assert scene.conference.moderation.describe()["audio"] == {"enabled": False, "whitelist": []}
