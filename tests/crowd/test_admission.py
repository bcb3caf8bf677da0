"""What participants show where a lab asks for it: accounts, tokens, or nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labctl.crowd import Options, Participant, Target
from labctl.crowd.admission import Account, Admission, App
from labctl.render.secrets import ensure_secrets
from labctl.topology.lab import Lab
from labctl.topology.layout import resolve
from labctl.topology.spec import Auth, Spec
from labctl.topology.workdir import Workdir
from tests.crowd.fakexmpp import DOMAIN, FakeXmpp, running

APP = App("labctl", "secret")


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_token_is_signed_and_says_for_what() -> None:
    head, body, signature = APP.token(room="r", tenant="acme", seconds=60).split(".")
    claims = decoded(body)
    assert decoded(head) == {"alg": "HS256", "typ": "JWT"}
    assert (claims["iss"], claims["aud"]) == ("labctl", "labctl")
    assert (claims["room"], claims["sub"]) == ("r", "acme")
    assert claims["nbf"] <= time.time() < claims["exp"] <= time.time() + 60
    digest = hmac.new(b"secret", f"{head}.{body}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=") == digest
    assert "secret" not in repr(APP)


@pytest.mark.parametrize("auth", Auth)
def test_lab_asks_what_its_spec_says(auth: Auth, tmp_path: Path) -> None:
    lab = Lab(Workdir(tmp_path), resolve(Spec(jvbs=0, visitors=0, auth=auth)))
    secrets = ensure_secrets(lab.folder, vnodes=[])
    expected = {
        Auth.OPEN: Admission(),
        Auth.INTERNAL: Admission(account=Account("host", secrets.host_password)),
        Auth.JWT: Admission(app=App("labctl", secrets.app_secret)),
    }
    assert Admission.of(lab) == expected[auth]


def seen(
    folder: Path, admission: Admission, options: Options, *, server: FakeXmpp | None = None
) -> FakeXmpp:
    """What the server saw of somebody who joined."""
    fake = server or FakeXmpp()

    async def scene(target: Target) -> None:
        async with Participant(replace(target, admission=admission), "Büro", options=options) as it:
            await it.join(deadline=5)

    play(folder, fake, scene)
    return fake


def play(folder: Path, server: FakeXmpp, scene: Callable[[Target], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10), running(server, folder) as target:
            await scene(target)

    asyncio.run(main())


def logins(server: FakeXmpp) -> list[tuple[str, str]]:
    """Domain and SASL mechanism of each login."""
    tags = [(stanza.tag.rpartition("}")[2], stanza) for stanza in server.stanzas]
    opens = [stanza.get("to", "") for name, stanza in tags if name == "open"][::2]
    mechanisms = [stanza.get("mechanism", "") for name, stanza in tags if name == "auth"]
    return list(zip(opens, mechanisms, strict=True))


@pytest.mark.sockets
def test_account_logs_in_to_the_domain_and_guests_to_theirs(tmp_path: Path) -> None:
    admission = Admission(account=Account("host", "pass"))
    assert logins(seen(tmp_path, admission, Options())) == [(DOMAIN, "PLAIN")]
    guest = logins(seen(tmp_path, admission, Options(guest=True)))
    assert guest == [(f"guest.{DOMAIN}", "ANONYMOUS")]


@pytest.mark.sockets
def test_on_a_vnode_everybody_is_anonymous(tmp_path: Path) -> None:
    admission = Admission(account=Account("host", "pass"))
    found = logins(seen(tmp_path, admission, Options(), server=FakeXmpp(vnode="v1")))
    assert found == [(DOMAIN, "PLAIN"), ("v1.meet.jitsi", "ANONYMOUS")]


@pytest.mark.sockets
def test_token_is_for_the_room_and_goes_into_address_and_request(tmp_path: Path) -> None:
    server = seen(tmp_path, Admission(app=APP), Options())
    [address] = [line for line in server.seen if line.startswith("connect")]
    shown = dict(word.split("=", 1) for word in address.split()[1:])["token"]
    assert decoded(shown.split(".")[1])["room"] == "b%c3%bcro"
    [request] = [stanza[0] for stanza in server.stanzas if len(stanza) and "focus" in stanza[0].tag]
    assert request.get("token") == shown
    for options in (Options(guest=True), Options(token="")):
        server = seen(tmp_path, Admission(app=APP), options)
        assert not [line for line in server.seen if "token" in line]
    server = seen(tmp_path, Admission(), Options(token="mine"))
    assert [line for line in server.seen if "token=mine" in line]
