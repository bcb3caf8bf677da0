"""Names of rooms: what people type, and what the web client and nginx make of it.

A person types `Büro 1` or, for a room of a tenant, `Acme/Büro 1`: the path of the conference's
address.  See docs/facts/client.md, 7.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

from labctl.crowd.errors import CrowdError

MAX_BYTES = 1023
"""Of a room's name in its encoded form (RFC 7622, 3.3.1)."""

_DROPPED = str.maketrans("", "", ":?#[]@!$&'()*+,;=><\"")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_COMPONENT = "-_.!~*'()"  # what JavaScript's encodeURIComponent leaves
_FOLDER = "!$'()*,-./:;<=>@[\\]^_`{|}~\""  # what nginx leaves in a variable


@dataclass(frozen=True, slots=True)
class RoomName:
    """A room, and the folder of its tenant ('' without one) as nginx has it in a variable."""

    room: str
    folder: str = ""

    @classmethod
    def of(cls, typed: str) -> RoomName:
        """The name that a typed one becomes.  Of several folders the last counts.

        Errors: CrowdError where nothing is left of the room, or its name is too long.
        """
        return _parse(typed)

    @property
    def tenant(self) -> str:
        """The tenant as a part of host names; '' without one."""
        return self.folder.replace(".", "_").lower()

    @property
    def path(self) -> str:
        """The path of the conference's address, without its first slash."""
        return f"{self.folder}/{self.room}" if self.folder else self.room

    @property
    def asked(self) -> str:
        """The room as clients have it in the parameter `room`, before that is encoded."""
        return unquote(self.room)

    def address(self, host: str) -> str:
        """The room's address on an XMPP host."""
        tenant = f"{self.tenant}." if self.tenant else ""
        return f"{self.room}@conference.{tenant}{host}"

    def service(self, name: str) -> str:
        """The path of a service such as `http-bind`: tenants have their own."""
        return f"/{self.folder}/{name}" if self.folder else f"/{name}"


@lru_cache(maxsize=256)
def _parse(typed: str) -> RoomName:
    parts = [part.translate(_DROPPED) for part in typed.strip().split("/")]
    room = _room(parts[-1])
    folders = [part for part in parts[:-1] if part]
    if not room:
        raise CrowdError(f"'{typed}' names no room.", hint="Give it a name such as 'demo'.")
    if len(room) > MAX_BYTES:
        raise CrowdError(
            f"The room's name takes {len(room)} bytes once it is percent-encoded; "
            f"{MAX_BYTES} are allowed.",
            hint="Use a shorter name.",
        )
    return RoomName(room, _folder(folders[-1]) if folders else "")


def _room(part: str) -> str:
    """Decoded, with compatible characters made one (NFKC), lower-case and encoded again."""
    plain = unicodedata.normalize("NFKC", _decoded(part)).lower()
    return quote(plain, safe=_COMPONENT).lower()


def _folder(part: str) -> str:
    """As nginx escapes a part of the path that it has decoded."""
    return quote(_decoded(part), safe=_FOLDER)


def _decoded(part: str) -> str:
    """Without percent-encoding; as it is where that is not encoded text."""
    if _BAD_ESCAPE.search(part):
        return part
    try:
        return unquote(part, errors="strict")
    except UnicodeDecodeError:
        return part
