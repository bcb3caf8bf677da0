"""What endpoints say on the bridge channel (upstream's `colibriClass` messages)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from allocation import whole
from jitsilog import Journal
from members import Endpoint, Relay
from receiver import AudioWishes
from switch import Switch

HELLO = {"colibriClass": "ServerHello"}
RELAYED = ("EndpointMessage", "EndpointStats", "EndpointConnectivityStatusChangeEvent")


class Messages:
    """Carries out the messages of one conference's endpoints."""

    def __init__(self, switch: Switch, journal: Journal) -> None:
        self._switch = switch
        self._journal = journal

    def handle(self, endpoint: Endpoint, text: str) -> None:
        """One message; what is malformed is logged and dropped."""
        try:
            message = json.loads(text)
            if not isinstance(message, dict):
                raise ValueError("not an object")
            self._act(endpoint, str(message.get("colibriClass")), message)
        except ValueError as error:
            self._journal.child(epId=endpoint.id).warning(
                "AbstractEndpointMessageTransport.onMessage#80",
                f"Failed to parse a message: {error}",
            )

    def handle_relayed(self, relay: Relay, text: str) -> None:
        """What another bridge passes on from its endpoints, for those here."""
        try:
            message = json.loads(text)
        except ValueError:
            return
        kind = message.get("colibriClass") if isinstance(message, dict) else None
        if kind == "ClientHello":
            relay.channel.say(HELLO)
        elif kind in ("SourceVideoTypeMessage", "VideoTypeMessage"):
            owner = str(message.get("endpointId"))
            if owner in relay.endpoints:
                name = str(message.get("sourceName") or f"{owner}-v0")
                kind_of_video = str(message.get("videoType", "camera")).lower()
                self._switch.set_video_type(owner, name, kind_of_video)
        elif kind in RELAYED:
            to = str(message.get("to") or "")
            for endpoint in self._switch.endpoints.values():
                if to in ("", endpoint.id):
                    endpoint.channel.say_text(text)

    def _act(self, endpoint: Endpoint, kind: str, message: dict[str, object]) -> None:
        if kind == "ClientHello":
            endpoint.channel.say(HELLO)
        elif kind == "ReceiverVideoConstraints":
            endpoint.receiver.wishes.update(message)
            self._switch.reallocate()
        elif kind == "LastNChangedEvent":
            endpoint.receiver.wishes.last_n = whole(message.get("lastN"))
            self._switch.reallocate()
        elif kind == "ReceiverAudioSubscription":
            endpoint.receiver.audio = _audio_wishes(message)
        elif kind in ("SourceVideoTypeMessage", "VideoTypeMessage"):
            self._video_type(endpoint, message)
        elif kind in ("EndpointMessage", "EndpointStats"):
            self._pass_on(endpoint, kind, message)
        else:
            self._journal.child(epId=endpoint.id).warning(
                "EndpointMessageTransport.unhandledMessage#195",
                f"Received a message with an unexpected type: {kind}",
            )

    def _video_type(self, endpoint: Endpoint, message: Mapping[str, object]) -> None:
        name = str(message.get("sourceName") or f"{endpoint.id}-v0")
        kind = str(message.get("videoType", "camera")).lower()
        self._switch.set_video_type(endpoint.id, name, kind)
        for relay in self._switch.relays.values():
            relay.channel.say({**message, "endpointId": endpoint.id})

    def _pass_on(self, endpoint: Endpoint, kind: str, message: dict[str, object]) -> None:
        if endpoint.visitor:
            self._journal.child(epId=endpoint.id).warning(
                "EndpointMessageTransport.endpointMessage#360",
                "Not forwarding endpoint message from visitor endpoint",
            )
            return
        text = json.dumps({**message, "from": endpoint.id}, separators=(",", ":"))
        to = str(message.get("to") or "") if kind == "EndpointMessage" else ""
        others = self._switch.endpoints
        if to in others:
            others[to].channel.say_text(text)
            return
        if not to:
            for other in others.values():
                if other is not endpoint:
                    other.channel.say_text(text)
        for relay in self._switch.relays.values():
            relay.channel.say_text(text)


def _audio_wishes(message: Mapping[str, object]) -> AudioWishes:
    """The subscription in its notation of today and in that of before."""
    mode, names = message.get("mode"), message.get("list")
    if mode is not None:
        if mode not in ("All", "None", "Include", "Exclude"):
            raise ValueError(f"Unknown ReceiverAudioSubscription mode: {mode}")
        return AudioWishes(
            mode in ("All", "Exclude"),
            _set(names) if mode == "Include" else frozenset(),
            _set(names) if mode == "Exclude" else frozenset(),
        )
    return AudioWishes(
        message.get("all") is True, _set(message.get("include")), _set(message.get("exclude"))
    )


def _set(names: object) -> frozenset[str]:
    return frozenset(str(name) for name in names) if isinstance(names, list) else frozenset()
