"""Answers to colibri2 `conference-modify` (docs/facts/signalling.md, 6 and 7)."""

from __future__ import annotations

from dataclasses import dataclass

from jvbconfig import Websockets
from media import Conference, Media
from members import Endpoint, Relay
from signalling import (
    Negotiated,
    parse_media,
    parse_remote,
    parse_sources,
    render_candidates,
)
from stanzas import (
    COLIBRI,
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

# What bridges use between them where the request says nothing of media: Jicofo's numbers, which are
# the same for all its participants.
RELAYED = Negotiated(
    codecs={111: "opus", 41: "av1", 100: "vp8", 107: "h264", 101: "vp9"},
    audio_level=1,
    passed_on=frozenset({1, 3, 5, 11}),
)


@dataclass(frozen=True, slots=True)
class Transport:
    """Where the bridge can be reached."""

    addresses: tuple[str, ...]
    port: int
    sctp: bool
    websockets: Websockets
    mapped: tuple[str, ...] = ()  # public addresses of a NAT in front of us


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
            made = self.media.add_endpoint(
                conference, id, visitor=element.get("muc-role") == "visitor", sctp=sctp,
                rewriting="ssrc-rewriting" in _capabilities(element),
                controlling=flag(transport, "ice-controlling"),
            )  # fmt: skip
            made.stats_id = element.get("stats-id", "")
            made.negotiate(parse_media(element))
            answer.append(self._endpoint_transport(conference, made))
        elif id not in conference.endpoints:
            raise Refused("item-not-found", f"Unknown endpoint {id}", "unknown_endpoint", id)
        self._update_endpoint(conference, conference.endpoints[id], element)
        return answer

    def _update_endpoint(
        self, conference: Conference, endpoint: Endpoint, element: Element
    ) -> None:
        last_n = find(element, COLIBRI2, "initial-last-n")
        if last_n is not None:
            endpoint.receiver.wishes.last_n = int(last_n.get("value", "-1"))
        _apply_transport(endpoint, element)
        sources = find(element, COLIBRI2, "sources")
        if sources is not None:
            if endpoint.visitor and len(sources):
                raise Refused("bad-request", f"Attempt to set sources for visitor {endpoint.id}")
            conference.switch.set_sources(
                endpoint.inbound, endpoint.id, endpoint.id, parse_sources(sources, endpoint.id)
            )

    def _endpoint_transport(self, conference: Conference, endpoint: Endpoint) -> Element:
        path = f"{conference.id}/{endpoint.id}"
        answer = el(COLIBRI2, "transport", None, self._ice(endpoint, path))
        if endpoint.data is not None:
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
            try:
                relay = self.media.add_relay(
                    conference, id, controlling=controlling, sctp=self._relay_sctp(transport),
                    own_port=flag(transport, "use-unique-port"),
                )  # fmt: skip
            except OSError as error:
                raise Refused("internal-server-error", str(error)) from error
            has_media = find(element, COLIBRI2, "media") is not None
            relay.negotiate(parse_media(element) if has_media else RELAYED)
            answer.append(self._relay_transport(conference, relay, transport))
        elif id not in conference.relays:
            raise Refused("item-not-found", f"Unknown relay {id}", "unspecified")
        relay = conference.relays[id]
        _apply_transport(relay, element)
        _apply_remote_endpoints(conference, relay, element)
        return answer

    def _relay_transport(self, conference: Conference, relay: Relay, asked: Element) -> Element:
        path = f"{conference.id}/{relay.id}"
        answer = el(COLIBRI2, "transport", None, self._ice(relay, path))
        role = self._relay_sctp(asked)
        if role is not None:
            answer.append(el(COLIBRI2, "sctp", {"port": "5000", "role": role}))
        return answer

    def _relay_sctp(self, asked: Element) -> str | None:
        """Our role on a relay's data channel, None where there is to be none."""
        sctp = find(asked, COLIBRI2, "sctp")
        if sctp is None or not self.transport.sctp:
            return None
        return "client" if sctp.get("role") == "client" else "server"

    def _ice(self, member: Endpoint | Relay, path: str) -> Element:
        agent = member.agent
        answer = el(ICE, "transport", {"ufrag": agent.ufrag, "pwd": agent.pwd}, el(ICE, "rtcp-mux"))
        answer.append(
            el(
                DTLS, "fingerprint", {"hash": "sha-256", "setup": "actpass"},
                member.transport.fingerprint,
            )
        )  # fmt: skip
        ours = self.transport
        port = agent.own_port or ours.port
        answer.extend(render_candidates(ours.addresses, ours.mapped, port))
        for url in self._urls(agent.websocket_pwd, path, relay=isinstance(member, Relay)):
            answer.append(el(COLIBRI, "web-socket", {"url": url}))
        return answer

    def _urls(self, pwd: str, path: str, *, relay: bool) -> list[str]:
        service = self.transport.websockets
        if not service.enabled:
            return []
        scheme, name = "wss" if service.tls else "ws", "relay-ws" if relay else "ws"
        domains = (service.relay_domains or service.domains) if relay else service.domains
        return [
            f"{scheme}://{domain}/colibri-{name}/{service.server_id}/{path}?pwd={pwd}"
            for domain in domains
        ]


def _bridge_sources(conference: Conference) -> Element:
    answer = el(COLIBRI2, "sources")
    for kind, id, ssrc in (
        ("audio", "jvb-a0", conference.audio_ssrc), ("video", "jvb-v0", conference.video_ssrc),
    ):  # fmt: skip
        source = el(SSMA, "source", {"ssrc": str(ssrc), "name": id})
        source.append(el(SSMA, "parameter", {"name": "msid", "value": f"mixedmslabel mixed{id}"}))
        answer.append(el(COLIBRI2, "media-source", {"type": kind, "id": id}, source))
    return answer


def _capabilities(element: Element) -> set[str]:
    return {item.get("name", "") for item in find_all(element, COLIBRI2, "capability")}


def _apply_transport(member: Endpoint | Relay, element: Element) -> None:
    outer = find(element, COLIBRI2, "transport")
    ice = find(outer, ICE, "transport") if outer is not None else None
    if ice is None:
        return
    member.transport.set_remote(*parse_remote(ice))
    socket = find(ice, COLIBRI, "web-socket")
    if isinstance(member, Relay) and socket is not None:
        member.connect_channel(socket.get("url", ""))


def _apply_remote_endpoints(conference: Conference, relay: Relay, element: Element) -> None:
    endpoints = find(element, COLIBRI2, "endpoints")
    for endpoint in endpoints if endpoints is not None else ():
        id = endpoint.get("id", "")
        if flag(endpoint, "expire"):
            relay.endpoints.discard(id)
            conference.switch.remove_owner(id)
            continue
        relay.endpoints.add(id)
        sources = find(endpoint, COLIBRI2, "sources")
        if sources is not None:
            conference.switch.set_sources(relay.inbound, relay.id, id, parse_sources(sources, id))
