"""What people type, and what the web client and nginx make of it."""

from __future__ import annotations

import pytest

from labctl.crowd import names
from labctl.crowd.errors import CrowdError
from labctl.crowd.names import RoomName

HOST = "meet.lab.internal"


@pytest.fixture(autouse=True)
def _forget() -> None:
    """What another test has had parsed proves nothing."""
    names._parse.cache_clear()


@pytest.mark.parametrize(
    ("typed", "room"),
    [
        ("demo", "demo"),
        ("TeamMeeting", "teammeeting"),
        (" demo ", "demo"),
        ("Büro 1", "b%c3%bcro%201"),
        ("B%C3%BCro%201", "b%c3%bcro%201"),
        ("R&D", "rd"),
        ("r%26d", "r%26d"),
        ("a%2Fb", "a%2fb"),
        ("@example.com", "example.com"),
        ("foo-bar", "foo-bar"),
        ("фоо-бар", "%d1%84%d0%be%d0%be-%d0%b1%d0%b0%d1%80"),
        ("🎉", "%f0%9f%8e%89"),
        ("ﬁne", "fine"),
        ("100% sure", "100%25%20sure"),
        ("%ff", "%25ff"),
        ('a"b<c>d', "abcd"),
        ("x" * 200, "x" * 200),
    ],
)
def test_room(typed: str, room: str) -> None:
    name = RoomName.of(typed)
    assert name.address(HOST) == f"{room}@conference.{HOST}"
    assert name.service("http-bind") == "/http-bind"
    assert RoomName.of(name.path) == name


@pytest.mark.parametrize(
    ("typed", "tenant", "folder"),
    [
        ("acme/room", "acme", "acme"),
        ("/acme/room", "acme", "acme"),
        ("Acme.Inc/room", "acme_inc", "Acme.Inc"),
        ("tenant@example.com/room", "tenantexample_com", "tenantexample.com"),
        ("tenant-example.com/room", "tenant-example_com", "tenant-example.com"),
        ("об/room", "%d0%be%d0%b1", "%D0%BE%D0%B1"),
        ("%D0%BE%D0%B1/room", "%d0%be%d0%b1", "%D0%BE%D0%B1"),
        ("a b/room", "a%20b", "a%20b"),
        ("{A|b}^/room", "{a|b}^", "{A|b}^"),
        ("a/b/c/room", "c", "c"),
        ("acme//room", "acme", "acme"),
    ],
)
def test_tenant(typed: str, tenant: str, folder: str) -> None:
    name = RoomName.of(typed)
    assert name.address(HOST) == f"room@conference.{tenant}.{HOST}"
    assert name.service("xmpp-websocket") == f"/{folder}/xmpp-websocket"
    assert RoomName.of(name.path) == name


def test_what_a_browser_does_not_encode_stays() -> None:
    assert RoomName.of("-_.%21~%2A%27%28%29").room == "-_.!~*'()"


def test_room_as_it_is_asked_for() -> None:
    assert RoomName.of("acme/BÜRO 1").asked == "büro 1"


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "names no room"),
        ("acme/", "names no room"),
        ("@&?", "names no room"),
        ("ü" * 200, "1200 bytes"),
        ("x" * 1024, "1024 bytes"),
    ],
)
def test_what_is_no_name(typed: str, told: str) -> None:
    with pytest.raises(CrowdError, match=told):
        RoomName.of(typed)
