"""Who may read the page: which addresses it listens on, and which requests are answered.

The page is read-only and has no password, so only programs of this machine reach it.  Other web
pages in the same browser are such programs, too: they are kept out by the name that a request must
be addressed to (a stranger's name that leads to this machine is refused), and by what browsers say
of where a request comes from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from labctl.core.errors import UsageError

DEFAULT_PORT = 8056
LOCALHOST = "localhost"

_LISTEN = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")
_HOST = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::(?P<port>\d{1,5}))?")
_OWN_SITES = ("same-origin", "none")
"""What Sec-Fetch-Site says of our own page, and of an address that the user typed."""


@dataclass(frozen=True, slots=True)
class Listen:
    """An address and a port; port 0 means any that is free."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine reach it."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def parse_listen(text: str, *, allow_others: bool) -> Listen:
    """'ADDRESS', 'ADDRESS:PORT' or 'PORT'.  Errors: UsageError, also for a place that others reach
    unless they are to be allowed."""
    wanted = f"127.0.0.1:{text}" if text.isdigit() else text
    found = _LISTEN.fullmatch(wanted)
    port = int(found["port"] or DEFAULT_PORT) if found else 0
    host = found["host"].strip("[]") if found else ""
    if not found or port > 65535 or not (host == LOCALHOST or _is_address(host)):
        raise UsageError(
            f"'--listen {text}' is not an address of this machine.",
            hint="Use a port ('8056') or an address and a port ('127.0.0.1:8056', '[::1]:8056').",
        )
    listen = Listen("127.0.0.1" if host == LOCALHOST else host, port)
    if not listen.is_loopback and not allow_others:
        raise UsageError(
            f"'--listen {text}' would show the lab to everybody who reaches this machine.",
            hint="Add '--allow-others' if that is meant; the page has no password.",
        )
    return listen


def is_loopback(host: str) -> bool:
    """Whether a host means this machine to itself."""
    return host.lower() == LOCALHOST or (_is_address(host) and ip_address(host).is_loopback)


def refusal(headers: Mapping[str, str], *, listen: Listen) -> str:
    """Why a request with these headers (in lower case) is not answered; empty if it is."""
    found = _HOST.fullmatch(headers.get("host", ""))
    if found is None or int(found["port"] or 80) != listen.port:
        return "It is addressed to another server."
    host = found["host"].strip("[]")
    # An address in digits cannot be a stranger's name.
    if not (is_loopback(host) or (not listen.is_loopback and _is_address(host))):
        return "It is addressed to a name that is not this machine's."
    origin = headers.get("origin")
    if origin is not None and origin != f"http://{headers['host']}":
        return "It comes from another page."
    if headers.get("sec-fetch-site", "none") not in _OWN_SITES:
        return "It comes from another page."
    return ""


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
