"""Tenants: `/acme/room` and `/other/room` are two rooms, each with its own paths and addresses."""

from __future__ import annotations

import re

import pytest

from acceptance import jicofo, remote, web
from acceptance.remote import Machine
from acceptance.rooms import JOIN_SECONDS
from acceptance.talks import TENANTS, Talks
from labctl.core.waiting import Patience
from labctl.crowd import Kind, Options, Target
from labctl.crowd.names import RoomName
from labctl.crowd.sync import crowd_in
from labctl.topology.model import Topology

pytestmark = pytest.mark.tenants

SECONDS = 20
_VARIABLE = re.compile(r"var (subdomain|subdir) = '([^']*)'")


def config_of(target: Target, path: str) -> tuple[str, str]:
    """Which tenant a page's or script's configuration is for: its part of hosts, its folder."""
    reply = web.ask(target, path)
    assert reply.status == 200, f"{path}: {reply.status}"
    found = dict(reversed(_VARIABLE.findall(reply.body)))  # the first assignment counts
    return found["subdomain"], found["subdir"]


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/room", ""),
        ("/acme/room", "acme"),
        ("/acme/", "acme"),
        ("/acme/config.js", "acme"),
        ("/Acme.Inc/room", "Acme.Inc"),
        ("/%D0%BE%D0%B1/room", "%D0%BE%D0%B1"),
        ("/%D0%BE%D0%B1/config.js", "%D0%BE%D0%B1"),
        ("/a%20b/room", "a%20b"),
        ("/acme/deeper/room", "deeper"),
        ("/a/b/c/d", "c"),
        # What 'labctl serve --class' does not show below /lab/ is a tenant's like any other.
        ("/lab/room", "lab"),
        ("/lab/config.js", "lab"),
        ("/acme/lab/room", "lab"),
    ],
)
def test_page_is_its_tenants(target: Target, path: str, folder: str) -> None:
    """When this fails, people of a tenant land in the room of the same name that others use.

    Of a deeper path only the last folder counts: seen with nginx and the package's own site.
    """
    expected = (f"{folder}.", f"{folder}/") if folder else ("", "")
    assert config_of(target, path) == expected


@pytest.mark.parametrize("path", ["/a%26b", "/a:b", "/a'b/room", "/libs/none.js", "/static/none"])
def test_what_is_no_room_is_not_found(target: Target, path: str) -> None:
    """When this fails, a mistyped address or a missing script is answered with a room's page."""
    assert web.ask(target, path).status == 404


@pytest.mark.parametrize("door", ["http-bind", "xmpp-websocket"])
def test_services_answer_below_a_tenant(target: Target, topology: Topology, door: str) -> None:
    """When this fails, the page of a tenant's room opens and never connects."""
    vnodes = [f"?room=r&vnode={vnode.name}" for vnode in topology.vnodes[:1]]
    for path in (f"/acme/{door}", f"/a/b/{door}", f"/%D0%BE/{door}", f"/lab/{door}"):
        for query in ("?room=r", *vnodes):
            assert "It works!" in web.ask(target, path + query).body, path + query


def test_rooms_of_tenants_are_different(talks: Talks, patience: Patience) -> None:
    """When this fails, strangers of another company are in the call."""
    expected = {tenant: {one.nick for one in crowd.participants}
                for tenant, crowd in talks.by_tenant.items()}  # fmt: skip

    def look() -> dict[str, set[str]]:
        return {
            tenant: set.union(*({*view.others, view.nick} for view in crowd.views()))
            for tenant, crowd in talks.by_tenant.items()
        }

    seen = jicofo.wait_value(look, expected, seconds=SECONDS, patience=patience)
    assert seen == expected


def test_tenants_hear_only_their_own(talks: Talks, topology: Topology) -> None:
    """When this fails, what is written in one company's room is read in another's."""
    for tenant, crowd in talks.by_tenant.items():
        crowd.participants[0].say(f"only for '{tenant}'")
    for tenant, crowd in talks.by_tenant.items():
        heard = crowd.participants[1].wait_for(Kind.MESSAGE, deadline=SECONDS)
        assert heard.details["body"] == f"only for '{tenant}'"
        sender = f"{talks.address(tenant, topology.domain)}/{crowd.participants[0].nick}"
        assert heard.details["from"] == sender
    for tenant, crowd in talks.by_tenant.items():
        bodies = [e.details["body"] for e in crowd.views()[1].events if e.kind is Kind.MESSAGE]
        assert bodies == [f"only for '{tenant}'"]


def test_every_tenant_gets_a_bridge(talks: Talks) -> None:
    """When this fails, people of a tenant see each other's names and hear nothing."""
    for crowd in talks.by_tenant.values():
        crowd.wait_invited(deadline=SECONDS)
        crowd.wait_for(Kind.ACCEPTED, deadline=SECONDS)


def test_prosody_keeps_one_room_per_tenant(talks: Talks, topology: Topology, jms: Machine) -> None:
    """When this fails, the plugins that look for a tenant's room (lobby, polls...) find none."""
    muc = f"conference.{topology.domain}"
    said = remote.run(jms, "prosodyctl shell muc list %s 2>/dev/null", muc).stdout
    inner = {f"[{name}]{talks.room}" for name in TENANTS.values()} | {talks.room}
    rooms = {word.partition("@")[0] for word in said.split() if word.endswith(f"@{muc}")}
    assert {room for room in rooms if talks.room in room} == inner


def test_jicofo_knows_tenants_rooms_as_clients_do(
    talks: Talks, topology: Topology, jms: Machine
) -> None:
    """When this fails, recordings and statistics of a tenant's room go to nobody's."""
    for tenant in ("", "acme", "обитател"):
        address = talks.address(tenant, topology.domain)
        assert jicofo.bridges_of(jms, address), f"Jicofo knows no conference '{address}'"


@pytest.mark.usefixtures("anybody_begins")
def test_conference_request_below_a_tenant(target: Target, room: str) -> None:
    """When this fails, clients that ask over HTTP cannot begin a conference of a tenant."""
    name = RoomName.of(f"acme/{room}")
    wanted = {
        "room": name.address(target.domain),
        "properties": {"visitors-version": "1"},
    }
    reply = web.ask(target, name.service("conference-request/v1"), data=wanted)
    assert (reply.status, reply.json().get("ready")) == (200, True), reply
    assert reply.json()["room"] == wanted["room"]


def test_listener_of_a_tenant_sees_its_stage(
    talks: Talks, topology: Topology, patience: Patience
) -> None:
    """When this fails, visitors of a tenant's room look at an empty stage or at a stranger's."""
    if not topology.vnodes:
        pytest.skip("this lab has no vnodes: nobody is redirected")
    for tenant in ("acme", "обитател"):
        crowd = talks.by_tenant[tenant]
        [listener] = crowd.join(1, deadline=JOIN_SECONDS, options=Options(want_visitor=True))
        view = listener.view()
        assert (view.role, view.vnode is not None) == ("visitor", True)
        stage = frozenset(one.nick for one in crowd.participants[:2])
        seen = jicofo.wait_value(
            lambda one=listener: one.view().others, stage, seconds=SECONDS, patience=patience
        )
        assert seen == stage
        listener.say("a question")
        heard = crowd.participants[0].wait_for(Kind.MESSAGE, deadline=SECONDS)
        assert heard.details["from"].startswith(talks.address(tenant, topology.domain))


@pytest.mark.slow
@pytest.mark.visitors
def test_last_seat_of_a_tenants_room(target: Target, topology: Topology, room: str) -> None:
    """When this fails, the room of a tenant grows without end, or its visitors see nobody.

    Also: one of them raises a hand and comes to the tenant's own stage.
    """
    if not topology.vnodes:
        pytest.skip("this lab has no vnodes: nobody is redirected")
    seats = topology.spec.max_participants
    with crowd_in(target, f"Acme.Inc/{room}") as crowd:
        crowd.join(seats, deadline=JOIN_SECONDS)
        late = crowd.join(2, deadline=JOIN_SECONDS)
        views = crowd.views()
        assert [view.vnode for view in views[:seats]] == [None] * seats
        assert {view.role for view in views[seats:]} == {"visitor"}
        crowd.wait_invited(deadline=SECONDS)
        late[0].promote(deadline=SECONDS)
        assert (late[0].view().vnode, late[0].view().role) == (None, "participant")
        stage = frozenset(one.nick for one in crowd.participants[: seats + 1]) - {late[0].nick}
        seen = jicofo.wait_value(
            lambda: late[0].view().others, stage, seconds=SECONDS, patience=target.patience
        )
        assert seen == stage
