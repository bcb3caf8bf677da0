"""Room names as people type them: each leads to one room, and to the same one for everybody."""

from __future__ import annotations

import pytest

from acceptance import jicofo, web
from acceptance.rooms import JOIN_SECONDS
from acceptance.stranger import stranger_at
from acceptance.talks import NAMES, Spellings
from labctl.core.waiting import Patience
from labctl.crowd import Kind, Options, Target
from labctl.crowd.names import RoomName
from labctl.crowd.sync import crowd_in
from labctl.topology.model import Topology

pytestmark = pytest.mark.rooms

SECONDS = 20


def test_every_spelling_leads_to_one_room(spellings: Spellings, patience: Patience) -> None:
    """When this fails, two people who type the same name wait for each other in two rooms."""
    expected = {name: frozenset(one.nick for one in people)
                for name, people in spellings.people.items()}  # fmt: skip

    def look() -> dict[str, frozenset[str]]:
        return {
            name: frozenset.intersection(*(one.view().others | {one.nick} for one in people))
            for name, people in spellings.people.items()
        }

    assert jicofo.wait_value(look, expected, seconds=SECONDS, patience=patience) == expected


def test_different_names_are_different_rooms(spellings: Spellings) -> None:
    """When this fails, a name with an umlaut or an emoji leads into a stranger's call."""
    everybody = [one.nick for people in spellings.people.values() for one in people]
    for people in spellings.people.values():
        mine = {one.nick for one in people}
        for one in people:
            assert one.view().others <= mine
    assert len(everybody) == len(set(everybody))


def test_rooms_with_such_names_have_bridges(spellings: Spellings) -> None:
    """When this fails, a meeting whose name is not plain ASCII stays silent."""
    for people in spellings.people.values():
        for one in people:
            one.wait_for(Kind.ACCEPTED, deadline=SECONDS)


def test_address_is_what_the_client_makes_of_the_name(
    spellings: Spellings, topology: Topology
) -> None:
    """When this fails, browsers and apps do not meet: each encodes the name in its own way."""
    for name, people in spellings.people.items():
        people[0].say("here")
        heard = people[1].wait_for(Kind.MESSAGE, deadline=SECONDS)
        room = spellings.prefix + NAMES[name].encoded
        assert heard.details["from"] == f"{room}@conference.{topology.domain}/{people[0].nick}"


def test_visitors_find_such_a_room(
    spellings: Spellings, topology: Topology, target: Target, patience: Patience
) -> None:
    """When this fails, visitors of a meeting with an umlaut in its name see an empty stage."""
    if not topology.vnodes:
        pytest.skip("this lab has no vnodes: nobody is redirected")
    name = "umlauts and a blank"
    typed = spellings.prefix + NAMES[name].typed[0]
    stage = frozenset(one.nick for one in spellings.people[name])
    with crowd_in(target, typed, options=Options(want_visitor=True)) as crowd:
        [visitor] = crowd.join(1, deadline=JOIN_SECONDS)
        assert visitor.view().role == "visitor"
        seen = jicofo.wait_value(
            lambda: visitor.view().others, stage, seconds=SECONDS, patience=patience
        )
    assert seen == stage


@pytest.mark.parametrize("name", NAMES)
def test_page_of_such_a_room_is_there(target: Target, name: str) -> None:
    """When this fails, the link in an invitation leads to an error page."""
    assert web.ask(target, f"/{RoomName.of(NAMES[name].typed[0]).room}").status == 200


@pytest.mark.usefixtures("anybody_begins")
def test_request_over_http_takes_such_names(target: Target) -> None:
    """When this fails, clients that ask over HTTP cannot begin a meeting with such a name."""
    for name in NAMES.values():
        reply = web.request_conference(target, f"accept-asked {name.typed[0]}", visitor=False)
        assert (reply.status, reply.json().get("ready")) == (200, True), reply
        assert reply.json()["room"].startswith("accept-asked%20")


@pytest.mark.parametrize(
    "raw", ["a b", "r&d", 'a"b', "a<b", pytest.param("ü" * 512, id="1024 bytes")]
)
def test_name_that_was_not_encoded_is_refused(target: Target, topology: Topology, raw: str) -> None:
    """When this fails, a client that encodes names in its own way opens a room of its own.

    Such an address is no address to Prosody (RFC 7622); it says so and keeps the stream.
    """
    with stranger_at(target) as stranger:
        assert stranger.enter(f"{raw}@conference.{topology.domain}") == "jid-malformed"
        assert stranger.ping(topology.domain) == "answered"
