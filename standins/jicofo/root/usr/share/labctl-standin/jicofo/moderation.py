"""Who may unmute: moderators' rules, and requests to mute (docs/facts/moderation.md, 6)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from chatroom import Role
from stanzas import JITMEET, Element, bare, el, find, iq, iq_error, iq_result, normalise, resource

if TYPE_CHECKING:
    from conference import Conference
    from focus import FocusManager


class Media(StrEnum):
    """What can be muted."""

    AUDIO = "audio"
    VIDEO = "video"
    DESKTOP = "desktop"

    @property
    def namespace(self) -> str:
        """Of its `mute` element."""
        return f"{JITMEET}/{self}"


@dataclass(slots=True)
class Moderation:
    """A conference's rules: what is moderated, and who may unmute all the same."""

    enabled: set[Media] = field(default_factory=set)
    allowed: dict[Media, list[str]] = field(default_factory=dict)

    def may_unmute(self, occupant: str, media: Media) -> bool:
        """Whether somebody who is no moderator may."""
        return media not in self.enabled or occupant in self.allowed.get(media, ())

    def describe(self) -> dict[str, object]:
        """For `/debug`."""
        return {
            media.value: {
                "enabled": media in self.enabled,
                "whitelist": self.allowed.get(media, []),
            }
            for media in Media
        }


class ModerationHandler:
    """Takes what the av_moderation component says, and participants' `mute` requests."""

    def __init__(self, focus: FocusManager) -> None:
        self.focus = focus

    def take(self, stanza: Element, address: str | None) -> bool:
        """A message; whether it came from the component at `address`."""
        carrier = find(stanza, JITMEET, "json-message")
        if carrier is None or address is None or stanza.get("from") != address:
            return False
        try:
            tree = json.loads(carrier.text or "")
            conference = self.focus.conferences.get(normalise(tree["room"]))
            if conference is not None:
                self._apply(conference, tree)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.focus.context.journal.warning(
                "AvModerationHandler.processStanza#68",
                f"Failed to process av_moderation request: {error!r}",
            )
        return True

    def _apply(self, conference: Conference, tree: dict[str, object]) -> None:
        rules, lists = conference.moderation, tree.get("whitelists")
        if isinstance(lists, dict):
            for name, occupants in lists.items():
                rules.allowed[Media(name)] = list(map(str, occupants))
        if tree.get("mediaType") is None or not isinstance(tree.get("enabled"), bool):
            return
        media, was = Media(str(tree["mediaType"])), set(rules.enabled)
        if tree["enabled"] is False:
            rules.enabled.discard(media)
        elif media not in was:
            rules.enabled.add(media)
            conference.journal.info(
                "AvModerationHandler.processStanza#101",
                f"Moderation for {media.upper()} in {conference.room_jid} was enabled by "
                f"{tree.get('actor')}",
            )
            self._mute_all(conference, media, str(tree.get("actor")))

    def _mute_all(self, conference: Conference, media: Media, actor: str) -> None:
        """Everybody in the main room but the one who wanted it; visitors have nothing to mute."""
        for member in conference.main.members.values():
            if member.occupant_jid != actor:
                mute = el(media.namespace, "mute", None, "true")
                self._send(conference, iq("set", member.occupant_jid, mute))

    def _send(self, conference: Conference, request: Element) -> None:
        client = conference.main.connection.client
        client.spawn(client.ask(request), where="MuteIqHandler.handleRequest#140")

    def handle(self, request: Element, mute: Element) -> Element:
        """The answer to a participant that mutes or unmutes itself or somebody else."""
        media = Media(mute.tag[1:].partition("}")[0].rpartition("/")[2])
        sender, wanted = request.get("from", ""), (mute.text or "").strip() == "true"
        conference = self.focus.conferences.get(normalise(bare(sender)))
        if conference is None:
            return iq_error(request, "item-not-found")
        target = mute.get("jid", sender)
        who = conference.main.members.get(resource(sender))
        whom = conference.main.members.get(resource(target))
        if who is None or whom is None:
            return iq_error(request, "internal-server-error")
        moderator = who.role in (Role.OWNER, Role.MODERATOR)
        free = moderator or conference.moderation.may_unmute(whom.occupant_jid, media)
        if who is not whom and not (moderator and wanted):
            return iq_error(request, "not-allowed")
        if who is whom and not wanted and not free:
            where = "JitsiMeetConferenceImpl.handleMuteRequest#1690"
            conference.journal.warning(
                where, f"Unmute not allowed due to av moderation for jid={whom.occupant_jid}"
            )
            return iq_error(request, "not-allowed")
        if who is not whom:
            told = el(media.namespace, "mute", {"actor": sender}, "true")
            self._send(conference, iq("set", whom.occupant_jid, told))
        return iq_result(request)
