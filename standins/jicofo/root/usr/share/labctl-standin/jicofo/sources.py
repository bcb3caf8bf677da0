"""Media sources of a conference: reading, checking and rendering them; pure.

Rules of docs/facts/signalling.md, 10: ssrc 1..2^32-1, unique in the conference, at most 20 per
user, grouped sources need an msid.  Two notations: XML (`ssma:0`) and compact JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from stanzas import JITMEET, RTP, SSMA, Element, el, find, find_all, local

MAX_PER_USER = 20


class SourceError(Exception):
    """The sources are against the rules (`bad-request`)."""


@dataclass(frozen=True, slots=True)
class Source:
    """One SSRC."""

    ssrc: int
    media: str
    name: str | None = None
    msid: str | None = None
    video_type: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Sources that belong together (SIM, FID)."""

    semantics: str
    media: str
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SourceSet:
    """What one owner sends."""

    sources: tuple[Source, ...] = ()
    groups: tuple[Group, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sources)

    def plus(self, other: SourceSet) -> SourceSet:
        """Both together."""
        return SourceSet(self.sources + other.sources, self.groups + other.groups)

    def minus(self, other: SourceSet) -> SourceSet:
        """Without the other's SSRCs and groups."""
        gone = {source.ssrc for source in other.sources}
        return SourceSet(
            tuple(source for source in self.sources if source.ssrc not in gone),
            tuple(group for group in self.groups if not gone & set(group.ssrcs)),
        )

    def one_layer(self) -> SourceSet:
        """What receivers are told: of simulcast the first layer, under which a bridge sends."""
        simulcast = [group.ssrcs for group in self.groups if group.semantics == "SIM"]
        pairs = [group.ssrcs for group in self.groups if group.semantics == "FID"]
        gone = {ssrc for _, *layers in simulcast for ssrc in layers}
        gone |= {repair for main, *rest in pairs if main in gone for repair in rest}
        return SourceSet(
            tuple(source for source in self.sources if source.ssrc not in gone),
            tuple(
                group
                for group in self.groups
                if group.semantics != "SIM" and not gone & set(group.ssrcs)
            ),
        )

    def __str__(self) -> str:
        return f"[{', '.join(f'{item.media}={item.ssrc}' for item in self.sources)}]"


def _ssrc(text: str | None) -> int:
    try:
        number = int(text or "")
    except ValueError:
        raise SourceError(f"Invalid SSRC: {text}") from None
    if not 0 < number < 2**32:
        raise SourceError(f"Invalid SSRC: {text}")
    return number


def parse_contents(jingle: Element) -> SourceSet:
    """The sources of a Jingle element's contents; JSON sources win where they are given."""
    for child in find_all(jingle, JITMEET, "json-message"):
        return parse_json_sources(child.text or "{}")
    sources: list[Source] = []
    groups: list[Group] = []
    for content in jingle:
        description = find(content, RTP, "description")
        if local(content) != "content" or description is None:
            continue
        media = description.get("media") or content.get("name") or ""
        sources += [parse_source(item, media) for item in find_all(description, SSMA, "source")]
        groups += [_group(item, media) for item in find_all(description, SSMA, "ssrc-group")]
    return SourceSet(tuple(sources), tuple(groups))


def parse_source(element: Element, media: str) -> Source:
    """One `source` element."""
    parameters = {
        item.get("name", ""): item.get("value") for item in find_all(element, SSMA, "parameter")
    }
    return Source(
        ssrc=_ssrc(element.get("ssrc")),
        media=media,
        name=element.get("name"),
        msid=parameters.get("msid"),
        video_type=element.get("videoType"),
    )


def _group(element: Element, media: str) -> Group:
    ssrcs = tuple(_ssrc(item.get("ssrc")) for item in find_all(element, SSMA, "source"))
    return Group(element.get("semantics", ""), media, ssrcs)


def parse_json_sources(text: str) -> SourceSet:
    """The compact JSON notation, whatever owner it names."""
    try:
        tree = json.loads(text)["sources"]
        found = SourceSet()
        for lists in tree.values():
            found = found.plus(_parse_lists(lists))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise SourceError(f"Invalid JSON sources: {error}") from error
    return found


def _parse_lists(lists: list[list[object]]) -> SourceSet:
    sources: list[Source] = []
    groups: list[Group] = []
    for media, at in (("video", 0), ("audio", 2)):
        for item in lists[at] if len(lists) > at else []:
            if isinstance(item, dict):
                kind = {"d": "desktop", "c": "camera"}.get(str(item.get("v")))
                sources.append(
                    Source(_ssrc(str(item["s"])), media, item.get("n"), item.get("m"), kind)
                )
        for item in lists[at + 1] if len(lists) > at + 1 else []:
            if isinstance(item, list):
                name = {"f": "FID", "s": "SIM"}.get(str(item[0]), str(item[0]))
                groups.append(Group(name, media, tuple(_ssrc(str(one)) for one in item[1:])))
    return SourceSet(tuple(sources), tuple(groups))


class ConferenceSources:
    """Sources by owner, and which SSRCs are taken."""

    def __init__(self) -> None:
        self.by_owner: dict[str, SourceSet] = {}
        self._taken: dict[int, str] = {}

    def add(self, owner: str, new: SourceSet) -> None:
        """Add an owner's sources; raises SourceError and changes nothing when they are bad."""
        before = self.by_owner.get(owner, SourceSet())
        self._check(owner, new, before)
        self.by_owner[owner] = before.plus(new)
        self._taken.update((source.ssrc, owner) for source in new.sources)

    def _check(self, owner: str, new: SourceSet, before: SourceSet) -> None:
        seen: set[int] = set()
        for source in new.sources:
            if source.ssrc in self._taken or source.ssrc in seen:
                raise SourceError(f"SSRC {source.ssrc} is already used")
            seen.add(source.ssrc)
        if len(before.sources) + len(new.sources) > MAX_PER_USER:
            raise SourceError(f"The limit of {MAX_PER_USER} SSRCs per user is exceeded")
        known = {source.ssrc: source for source in (*before.sources, *new.sources)}
        for group in new.groups:
            for ssrc in group.ssrcs:
                if ssrc not in known:
                    raise SourceError(f"An SSRC group uses the unknown SSRC {ssrc}")
                if not known[ssrc].msid:
                    raise SourceError(f"Grouped SSRC {ssrc} has no msid")

    def remove(self, owner: str, gone: SourceSet) -> None:
        """Remove some of an owner's sources; raises SourceError for those it does not have."""
        before = self.by_owner.get(owner, SourceSet())
        have = {source.ssrc for source in before.sources}
        missing = [source.ssrc for source in gone.sources if source.ssrc not in have]
        if missing:
            raise SourceError(f"{owner} does not have SSRC {missing[0]}")
        left = before.minus(gone)
        for source in gone.sources:
            self._taken.pop(source.ssrc, None)
        if left:
            self.by_owner[owner] = left
        else:
            self.by_owner.pop(owner, None)

    def remove_owner(self, owner: str) -> SourceSet:
        """Everything an owner had."""
        gone = self.by_owner.pop(owner, SourceSet())
        for source in gone.sources:
            self._taken.pop(source.ssrc, None)
        return gone

    def without(self, owner: str) -> dict[str, SourceSet]:
        """Everybody else's sources."""
        return {name: value for name, value in self.by_owner.items() if name != owner}


def _compact(items: Iterable[SourceSet]) -> list[list[object]]:
    lists: list[list[object]] = [[], [], [], []]
    for item in items:
        for source in item.sources:
            entry: dict[str, object] = {"s": source.ssrc}
            for key, value in (("n", source.name), ("m", source.msid)):
                if value:
                    entry[key] = value
            if source.video_type == "desktop":
                entry["v"] = "d"
            lists[0 if source.media == "video" else 2].append(entry)
        for group in item.groups:
            name = {"FID": "f", "SIM": "s"}.get(group.semantics, group.semantics)
            lists[1 if group.media == "video" else 3].append([name, *group.ssrcs])
    while lists and not lists[-1]:
        lists.pop()
    return lists


def render_json_sources(sources: Mapping[str, SourceSet]) -> Element:
    """The `json-message` element with everybody's sources."""
    tree = {owner: _compact([value]) for owner, value in sources.items() if value}
    text = json.dumps({"sources": tree}, separators=(",", ":"))
    return el(JITMEET, "json-message", None, text)


def render_xml_sources(sources: Mapping[str, SourceSet], media: str) -> Iterator[Element]:
    """`source` and `ssrc-group` elements of one medium."""
    for owner, value in sources.items():
        for source in value.sources:
            if source.media == media:
                yield render_source(source, owner)
    for value in sources.values():
        for group in value.groups:
            if group.media == media:
                members = [el(SSMA, "source", {"ssrc": str(ssrc)}) for ssrc in group.ssrcs]
                yield el(SSMA, "ssrc-group", {"semantics": group.semantics}, *members)


def render_source(source: Source, owner: str | None) -> Element:
    """One `source` element; `owner` says whose it is."""
    made = el(SSMA, "source", {"ssrc": str(source.ssrc)})
    if source.name:
        made.set("name", source.name)
    if source.video_type:
        made.set("videoType", source.video_type)
    if owner:
        made.append(el(JITMEET, "ssrc-info", {"owner": owner}))
    if source.msid:
        made.append(el(SSMA, "parameter", {"name": "msid", "value": source.msid}))
    return made
