"""Who may begin a conference of the stand-in Jicofo."""

from __future__ import annotations

import pytest

from tests.standins import paths  # noqa: F401

import authority  # isort: skip
import hocon  # isort: skip
import jicofoconfig  # isort: skip

HOST, GUEST = "host@m/a", "x@guest.m/b"


def parse(**login: hocon.Json) -> str | None:
    client = {"xmpp-domain": "m", "domain": "auth.m", "password": "p"}
    tree: dict[str, hocon.Json] = {"xmpp": {"client": client}, "authentication": login}
    return jicofoconfig.parse_config(hocon.Config({"jicofo": tree}), {}).login_domain


@pytest.mark.parametrize(
    ("login", "domain"),
    [
        ({}, None),
        ({"enabled": True, "type": "XMPP", "login-url": "M.x"}, "m.x"),
        ({"enabled": False, "type": "XMPP", "login-url": "m"}, None),
        ({"enabled": True, "type": "JWT", "login-url": "m"}, None),
    ],
)
def test_whose_accounts_count(login: dict[str, hocon.Json], domain: str | None) -> None:
    assert parse(**login) == domain


def ask(
    one: authority.Authority, sender: str, *, machine: str | None = "m1",
    session: str | None = None, exists: bool = False, room: str = "r@c",
) -> authority.Session | None:  # fmt: skip
    return one.authenticate(sender, room, machine=machine, session_id=session, exists=exists)


def test_open_lab_asks_nothing() -> None:
    assert ask(authority.Authority(None), GUEST) is None


def test_guest_begins_nothing_and_joins_what_is_there() -> None:
    one = authority.Authority("m")
    with pytest.raises(authority.Refused) as refused:
        ask(one, GUEST)
    assert refused.value.condition == "not-authorized"
    assert ask(one, GUEST, exists=True) is None
    assert not one.has_session(GUEST)


def test_account_gets_one_session_per_machine() -> None:
    one = authority.Authority("m")
    first = ask(one, HOST)
    assert first is not None and first.identity == "host@m"
    again = ask(one, "host@m/other")
    assert again is not None and again.id == first.id
    assert one.has_session("host@m/other")
    other = ask(one, HOST, machine="m2")
    assert other is not None and other.id != first.id


@pytest.mark.parametrize(
    ("machine", "session", "text"),
    [
        (None, None, "machine-uid"),
        ("m2", "known", "mismatch"),
        ("m1", "unknown", "^$"),
    ],
)
def test_bad_session_is_not_acceptable(machine: str | None, session: str | None, text: str) -> None:
    one = authority.Authority("m")
    known = ask(one, HOST)
    assert known is not None
    shown = known.id if session == "known" else session
    with pytest.raises(authority.Refused, match=text) as refused:
        ask(one, HOST, machine=machine, session=shown, exists=True)
    assert refused.value.condition == "not-acceptable"


def test_session_lets_a_guest_come_back_as_host() -> None:
    one = authority.Authority("m")
    known = ask(one, HOST)
    assert known is not None
    assert ask(one, GUEST, session=known.id) is known
    assert one.has_session(GUEST)


def test_session_ends_with_its_conference() -> None:
    one = authority.Authority("m")
    ask(one, HOST)
    one.conference_ended("r@c")
    assert not one.sessions
