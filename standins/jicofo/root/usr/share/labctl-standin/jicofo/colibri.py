"""Colibri2 requests and what the answers mean (docs/facts/signalling.md, 5 to 7); pure."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass

from offer import audio_media, video_media
from sources import Source, SourceSet, parse_source, render_source
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
    iq,
    local,
    parse_error,
)

RELAY_FEATURES = frozenset({"TCC", "RTX"})  # what bridges may use between them


@dataclass(frozen=True, slots=True)
class Meeting:
    """How a conference is named towards bridges."""

    meeting_id: str
    room: str


@dataclass(frozen=True, slots=True)
class EndpointOffer:
    """What is asked for an endpoint."""

    id: str
    stats_id: str | None
    features: frozenset[str]
    visitor: bool
    sctp: bool


def modify(
    bridge: str, meeting: Meeting, *children: Element, create: bool = False, expire: bool = False
) -> Element:
    """A conference-modify; of type get, which is Smack's default and what bridges expect."""
    attrs = {"meeting-id": meeting.meeting_id}
    if create:
        attrs |= {"name": meeting.room, "create": "true"}
    if expire:
        attrs["expire"] = "true"
    return iq("get", bridge, el(COLIBRI2, "conference-modify", attrs, *children))


def create_endpoint(offer: EndpointOffer) -> Element:
    """The `endpoint` element that creates one."""
    attrs = {"id": offer.id, "create": "true"}
    if offer.stats_id:
        attrs["stats-id"] = offer.stats_id
    if offer.visitor:
        attrs["muc-role"] = "visitor"
    endpoint = el(COLIBRI2, "endpoint", attrs)
    endpoint.append(el(COLIBRI2, "capability", {"name": "source-names"}))
    if "SSRC_REWRITING_V1" in offer.features:
        endpoint.append(el(COLIBRI2, "capability", {"name": "ssrc-rewriting"}))
    for name, parts in (("audio", audio_media), ("video", video_media)):
        if name.upper() in offer.features:
            endpoint.append(el(COLIBRI2, "media", {"type": name}, *parts(offer.features)))
    transport = el(COLIBRI2, "transport", {"ice-controlling": "true"})
    if offer.sctp:
        transport.append(el(COLIBRI2, "sctp"))
    endpoint.append(transport)
    endpoint.append(el(COLIBRI2, "sources"))
    return endpoint


def render_sources(sources: SourceSet, owner: str) -> Element:
    """The `sources` element, one media-source per source name."""
    made = el(COLIBRI2, "sources")
    by_name: dict[tuple[str, str], list[Source]] = {}
    for source in sources.sources:
        name = source.name or f"{owner}-{source.media[0]}0"
        by_name.setdefault((name, source.media), []).append(source)
    for (name, media), items in by_name.items():
        ssrcs = {source.ssrc for source in items}
        element = el(COLIBRI2, "media-source", {"type": media, "id": name})
        element.extend(render_source(source, None) for source in items)
        for group in sources.groups:
            if set(group.ssrcs) <= ssrcs:
                members = [el(SSMA, "source", {"ssrc": str(ssrc)}) for ssrc in group.ssrcs]
                element.append(el(SSMA, "ssrc-group", {"semantics": group.semantics}, *members))
        made.append(element)
    return made


def update_endpoint(
    id: str, *, transport: Element | None = None, sources: SourceSet | None = None
) -> Element:
    """The `endpoint` element that changes one."""
    endpoint = el(COLIBRI2, "endpoint", {"id": id})
    if transport is not None:
        endpoint.append(el(COLIBRI2, "transport", None, transport))
    if sources is not None:
        endpoint.append(render_sources(sources, id))
    return endpoint


def expire_endpoints(ids: Iterable[str]) -> list[Element]:
    """The `endpoint` elements that expire some."""
    return [el(COLIBRI2, "endpoint", {"id": id, "expire": "true"}) for id in ids]


@dataclass(frozen=True, slots=True)
class RemoteEndpoint:
    """An endpoint that is on another bridge."""

    id: str
    stats_id: str | None
    sources: SourceSet


def create_relay(
    relay_id: str, endpoints: Iterable[RemoteEndpoint], *, controlling: bool, sctp: bool
) -> Element:
    """The `relay` element that connects a bridge with the one called `relay_id`."""
    # Whoever controls has a port of its own: relays of several conferences between the same two
    # bridges could not be told apart otherwise.
    roles = {"ice-controlling": _word(controlling), "use-unique-port": _word(controlling)}
    transport = el(COLIBRI2, "transport", roles)
    if sctp:
        transport.append(el(COLIBRI2, "sctp", {"role": "client" if controlling else "server"}))
    attrs = {"id": relay_id, "create": "true", "mesh-id": "0"}
    media = [
        el(COLIBRI2, "media", {"type": name}, *parts(RELAY_FEATURES))
        for name, parts in (("audio", audio_media), ("video", video_media))
    ]
    endpoint_list = remote_endpoints(endpoints, create=True)
    return el(COLIBRI2, "relay", attrs, *media, transport, endpoint_list)


def remote_endpoints(endpoints: Iterable[RemoteEndpoint], *, create: bool = False) -> Element:
    """The `endpoints` element of a relay."""
    made = el(COLIBRI2, "endpoints")
    for one in endpoints:
        attrs = {"id": one.id}
        if create:
            attrs["create"] = "true"
        if one.stats_id:
            attrs["stats-id"] = one.stats_id
        made.append(el(COLIBRI2, "endpoint", attrs, render_sources(one.sources, one.id)))
    return made


def update_relay(relay_id: str, *children: Element) -> Element:
    """The `relay` element that changes one."""
    return el(COLIBRI2, "relay", {"id": relay_id}, *children)


def relay_transport(theirs: Element, *, controlling: bool, setup: str) -> Element:
    """The other side's transport, with the DTLS role it is to play, for the second modify."""
    ice = find(theirs, ICE, "transport")
    made = el(COLIBRI2, "transport", {"ice-controlling": _word(controlling)})
    if ice is not None:
        changed = copy.deepcopy(ice)
        for fingerprint in find_all(changed, DTLS, "fingerprint"):
            fingerprint.set("setup", setup)
        # Who is given an address connects to it, and that is to be one side only.
        if find(theirs, COLIBRI2, "sctp") is not None or not controlling:
            for socket in find_all(changed, COLIBRI, "web-socket"):
                changed.remove(socket)
        made.append(changed)
    sctp = find(theirs, COLIBRI2, "sctp")
    if sctp is not None:
        made.append(copy.deepcopy(sctp))
    return made


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the bridge gave for an endpoint."""

    transport: Element
    sctp: bool
    bridge_sources: SourceSet


class ColibriError(Exception):
    """The bridge refused; `reason` is colibri2's word for it, empty where there is none."""

    def __init__(self, condition: str, reason: str, text: str, endpoint: str | None) -> None:
        super().__init__(f"{condition} {reason} {text}".strip())
        self.condition = condition
        self.reason = reason
        self.endpoint = endpoint


def check_answer(answer: Element) -> Element:
    """The conference-modified element of a result; raises ColibriError for an error."""
    if answer.get("type") == "error":
        condition, text = parse_error(answer)
        reason, endpoint = "", None
        for child in answer.iter(f"{{{COLIBRI2}}}error"):
            reason = (child.get("reason") or "unspecified").lower()
            named = find(child, COLIBRI2, "endpoint")
            endpoint = named.get("id") if named is not None else None
        raise ColibriError(condition, reason, text, endpoint)
    modified = find(answer, COLIBRI2, "conference-modified")
    if modified is None:
        raise ColibriError("bad-response", "", "no conference-modified", None)
    return modified


def parse_allocation(answer: Element, id: str, *, sctp: bool) -> Allocation:
    """The allocation of endpoint `id`; raises ColibriError when the answer lacks what is needed."""
    modified = check_answer(answer)
    for endpoint in find_all(modified, COLIBRI2, "endpoint"):
        outer = find(endpoint, COLIBRI2, "transport")
        ice = find(outer, ICE, "transport") if outer is not None else None
        if endpoint.get("id") != id or outer is None or ice is None:
            continue
        has_sctp = find(outer, COLIBRI2, "sctp") is not None
        if sctp and not has_sctp:
            raise ColibriError("bad-response", "", "sctp was asked for and not given", id)
        return Allocation(ice, has_sctp, _bridge_sources(modified))
    raise ColibriError("bad-response", "", f"no transport for {id}", id)


def parse_relay(answer: Element, relay_id: str) -> Element:
    """The colibri2 `transport` that a bridge gave for a relay."""
    modified = check_answer(answer)
    for relay in find_all(modified, COLIBRI2, "relay"):
        transport = find(relay, COLIBRI2, "transport")
        if relay.get("id") == relay_id and transport is not None:
            return transport
    raise ColibriError("bad-response", "", f"no transport for relay {relay_id}", None)


def _bridge_sources(modified: Element) -> SourceSet:
    found: list[Source] = []
    sources = find(modified, COLIBRI2, "sources")
    for item in sources if sources is not None else ():
        if local(item) == "media-source":
            media = item.get("type", "")
            found += [parse_source(one, media) for one in find_all(item, SSMA, "source")]
    return SourceSet(tuple(found))


def _word(value: bool) -> str:
    return "true" if value else "false"
