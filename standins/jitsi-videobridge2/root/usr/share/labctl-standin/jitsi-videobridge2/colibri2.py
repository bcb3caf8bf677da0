"""Answers to colibri2 `conference-modify` (jicofo-jvb fact sheet, 8.1)."""

from __future__ import annotations

from dataclasses import dataclass

from jvbconfig import Websockets
from media import Conference, Endpoint, IceAgent, Media, Relay
from stanzas import (
    COLIBRI2,
    DTLS,
    ICE,
    SSMA,
    Element,
    el,
    find,
    find_all,
    iq_error,
    iq_result,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Transport:
    """Where the bridge can be reached."""

    addresses: tuple[str, ...]
    port: int
    sctp: bool
    websockets: Websockets


class Refused(Exception):
    """The request cannot be fulfilled; carries the error reply's parts."""

    def __init__(
        self, condition: str, text: str, reason: str | None = None, endpoint: str | None = None
    ) -> None:
        super().__init__(text)
        self.condition = condition
        self.text = text
        self.reason = reason
        self.endpoint = endpoint

    def reply(self, request: Element) -> Element:
        """The error stanza."""
        extra: list[Element] = []
        if self.reason:
            extra.append(el(COLIBRI2, "error", {"reason": self.reason}))
            if self.endpoint:
                extra[0].append(el(COLIBRI2, "endpoint", {"id": self.endpoint}))
        return iq_error(request, self.condition, self.text, *extra)


def flag(element: Element | None, name: str, *, default: bool = False) -> bool:
    """A boolean attribute."""
    value = element.get(name) if element is not None else None
    return default if value is None else value.lower() == "true"


class Colibri2:
    """Carries out requests on `media`."""

    def __init__(self, media: Media, transport: Transport) -> None:
        self.media = media
        self.transport = transport
        self.refuse_new = False

    def handle(self, request: Element, modify: Element) -> Element:
        """The reply to one IQ."""
        try:
            return iq_result(request, self._modify(modify))
        except Refused as refused:
            return refused.reply(request)

    def find_conference(self, modify: Element) -> Conference | None:
        """The conference a request is about, if it exists."""
        return self.media.conferences.get(modify.get("meeting-id", ""))

    def _conference(self, modify: Element) -> Conference:
        meeting = modify.get("meeting-id", "")
        if not meeting:
            raise Refused("bad-request", "meeting-id is required")
        found = self.media.conferences.get(meeting)
        if not flag(modify, "create"):
            if found is None:
                raise Refused(
                    "item-not-found", f"Conference not found for ID: {meeting}",
                    "conference_not_found",
                )  # fmt: skip
            return found
        if found is not None:
            raise Refused(
                "conflict", f"Conference already exists for ID: {meeting}",
                "conference_already_exists",
            )  # fmt: skip
        if self.refuse_new:
            raise Refused("service-unavailable", "In graceful shutdown", "graceful_shutdown")
        return self.media.create(meeting, modify.get("name", ""))

    def _modify(self, modify: Element) -> Element:
        endpoints = find_all(modify, COLIBRI2, "endpoint")
        relays = find_all(modify, COLIBRI2, "relay")
        changed = [item for item in endpoints if not flag(item, "expire")]
        if len(changed) > 1 or (endpoints and relays):
            raise Refused("bad-request", "Only one endpoint or relay per request is supported")
        conference = self._conference(modify)
        answer = el(COLIBRI2, "conference-modified")
        if flag(modify, "expire"):
            self.media.expire(conference)
            return answer
        for element in endpoints:
            answer.append(self._endpoint(conference, element))
        for element in relays:
            answer.append(self._relay(conference, element))
        if any(flag(element, "create") for element in (*endpoints, *relays)):
            answer.append(_bridge_sources(conference))
        if (endpoints or relays) and not conference.endpoints and not conference.relays:
            conference.journal.info(
                "Conference.endpointExpired#815", "All endpoints and relays removed, expiring."
            )
            self.media.expire(conference)
        return answer

    def _endpoint(self, conference: Conference, element: Element) -> Element:
        id = element.get("id", "")
        answer = el(COLIBRI2, "endpoint", {"id": id})
        if flag(element, "expire"):
            self.media.remove_endpoint(conference, id)
            return answer
        transport = find(element, COLIBRI2, "transport")
        if flag(element, "create"):
            if transport is None:
                raise Refused("bad-request", "Attempt to create endpoint w/o <transport>")
            sctp = self.transport.sctp and find(transport, COLIBRI2, "sctp") is not None
            visitor = element.get("muc-role") == "visitor"
            made = self.media.add_endpoint(conference, id, visitor=visitor, sctp=sctp)
            made.stats_id = element.get("stats-id", "")
            answer.append(self._endpoint_transport(conference, made))
        elif id not in conference.endpoints:
            raise Refused("item-not-found", f"Unknown endpoint {id}", "unknown_endpoint", id)
        return answer

    def _endpoint_transport(self, conference: Conference, endpoint: Endpoint) -> Element:
        path = f"{conference.id}/{endpoint.id}"
        answer = el(COLIBRI2, "transport", None, self._ice(endpoint.agent, path, relay=False))
        if endpoint.sctp:
            answer.append(el(COLIBRI2, "sctp", {"port": "5000", "role": "server"}))
        return answer

    def _relay(self, conference: Conference, element: Element) -> Element:
        id = element.get("id", "")
        answer = el(COLIBRI2, "relay", {"id": id})
        if flag(element, "expire"):
            self.media.remove_relay(conference, id)
            return answer
        transport = find(element, COLIBRI2, "transport")
        if flag(element, "create"):
            if transport is None:
                raise Refused("bad-request", "Attempt to create relay with no transport")
            controlling = flag(transport, "ice-controlling")
            relay = self.media.add_relay(conference, id, controlling=controlling)
            answer.append(self._relay_transport(conference, relay, transport))
        elif id not in conference.relays:
            raise Refused("item-not-found", f"Unknown relay {id}", "unspecified")
        _apply_remote_endpoints(conference.relays[id], element)
        return answer

    def _relay_transport(self, conference: Conference, relay: Relay, asked: Element) -> Element:
        path = f"{conference.id}/{relay.id}"
        answer = el(COLIBRI2, "transport", None, self._ice(relay.agent, path, relay=True))
        sctp = find(asked, COLIBRI2, "sctp")
        if sctp is not None:
            role = "server" if sctp.get("role") != "client" else "client"
            answer.append(el(COLIBRI2, "sctp", {"port": "5000", "role": role}))
        return answer

    def _ice(self, agent: IceAgent, path: str, *, relay: bool) -> Element:
        answer = el(ICE, "transport", {"ufrag": agent.ufrag, "pwd": agent.pwd}, el(ICE, "rtcp-mux"))
        answer.append(
            el(DTLS, "fingerprint", {"hash": "sha-256", "setup": "actpass"}, agent.fingerprint)
        )
        for index, address in enumerate(self.transport.addresses):
            answer.append(_candidate(index, address, self.transport.port))
        for url in self._urls(agent, path, relay=relay):
            answer.append(el("http://jitsi.org/protocol/colibri", "web-socket", {"url": url}))
        return answer

    def _urls(self, agent: IceAgent, path: str, *, relay: bool) -> list[str]:
        service = self.transport.websockets
        if not service.enabled:
            return []
        scheme, name = "wss" if service.tls else "ws", "relay-ws" if relay else "ws"
        domains = (service.relay_domains or service.domains) if relay else service.domains
        return [
            f"{scheme}://{domain}/colibri-{name}/{service.server_id}/{path}"
            f"?pwd={agent.websocket_pwd}"
            for domain in domains
        ]


def _candidate(index: int, address: str, port: int) -> Element:
    return el(
        ICE, "candidate",
        {
            "id": f"{index + 1:x}", "component": "1", "foundation": str(index + 1),
            "generation": "0", "ip": address, "network": "0", "port": str(port),
            "priority": str(2**24 * 126 + 2**8 * (65535 - index) + 255), "protocol": "udp",
            "type": "host",
        },
    )  # fmt: skip


def _bridge_sources(conference: Conference) -> Element:
    answer = el(COLIBRI2, "sources")
    for kind, id, ssrc in (
        ("audio", "jvb-a0", conference.audio_ssrc), ("video", "jvb-v0", conference.video_ssrc),
    ):  # fmt: skip
        source = el(SSMA, "source", {"ssrc": str(ssrc), "name": id})
        source.append(el(SSMA, "parameter", {"name": "msid", "value": f"mixedmslabel mixed{id}"}))
        answer.append(el(COLIBRI2, "media-source", {"type": kind, "id": id}, source))
    return answer


def _apply_remote_endpoints(relay: Relay, element: Element) -> None:
    endpoints = find(element, COLIBRI2, "endpoints")
    for endpoint in endpoints if endpoints is not None else ():
        if flag(endpoint, "expire"):
            relay.endpoints.discard(endpoint.get("id", ""))
        else:
            relay.endpoints.add(endpoint.get("id", ""))
