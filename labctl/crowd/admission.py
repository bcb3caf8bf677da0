"""What a lab asks of those who come: nothing, an account, or a token; and the means to show it."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from labctl.crowd.xml import SASL, element
from labctl.topology.spec import Auth

if TYPE_CHECKING:
    from labctl.topology.lab import Lab

TOKEN_SECONDS = 3600
EVERYTHING = "*"


@dataclass(frozen=True, slots=True)
class Account:
    """Whose login it is, where it is somebody's."""

    user: str
    password: str = field(repr=False)

    @property
    def auth(self) -> str:
        """SASL PLAIN (RFC 4616): TLS around it is verified against the lab's CA."""
        words = b64encode(f"\0{self.user}\0{self.password}".encode()).decode()
        return element("auth", {"mechanism": "PLAIN"}, words, ns=SASL)


@dataclass(frozen=True, slots=True)
class App:
    """Who signs tokens (JSON Web Tokens, RFC 7519) that the lab takes."""

    id: str
    secret: str = field(repr=False)

    def token(
        self,
        *,
        room: str = EVERYTHING,
        tenant: str = EVERYTHING,
        audience: str | None = None,
        seconds: float = TOKEN_SECONDS,
    ) -> str:
        """A token for a room's encoded name and a tenant, valid for so long from now on."""
        now = int(time.time())
        claims = {
            "iss": self.id,
            "aud": audience or self.id,
            "sub": tenant,
            "room": room,
            "iat": now,
            "nbf": now - 10,
            "exp": now + int(seconds),
        }
        signed = ".".join(_encoded(part) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
        digest = hmac.new(self.secret.encode(), signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{_base64(digest)}"


@dataclass(frozen=True, slots=True)
class Admission:
    """What is asked of everybody who logs in to the main domain; vnodes ask nothing."""

    account: Account | None = None
    """With it conferences are begun; who has none is a guest, and logs in to another host."""
    app: App | None = None

    @classmethod
    def of(cls, lab: Lab) -> Admission:
        """What a lab asks, with its own secrets.  Errors: StateError."""
        auth = lab.topology.spec.auth
        if auth is Auth.OPEN:
            return cls()
        from labctl.render.secrets import APP_ID, HOST_USER, load_secrets  # late: most need none

        secrets = load_secrets(lab.folder)
        match auth:
            case Auth.INTERNAL:
                return cls(account=Account(HOST_USER, secrets.host_password))
            case Auth.JWT:
                return cls(app=App(APP_ID, secrets.app_secret))
            case _:
                assert_never(auth)


def _encoded(part: dict[str, object] | dict[str, str]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
