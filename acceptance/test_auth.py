"""Logins: tokens, accounts and guests, and whether rooms can have a lobby; as the lab was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from acceptance import jicofo, web
from acceptance.rooms import JOIN_SECONDS
from acceptance.stranger import stranger_at
from labctl.core.waiting import Patience
from labctl.crowd import CrowdError, Kind, Options, StanzaError, Target
from labctl.crowd.admission import Account, App
from labctl.crowd.door import Door, Line
from labctl.crowd.stream import Stream
from labctl.crowd.sync import SyncCrowd, SyncParticipant, crowd_in, wait
from labctl.topology.model import Topology
from labctl.topology.spec import Auth

pytestmark = pytest.mark.auth

SECONDS = 20
GUEST = Options(guest=True)


def token(words: str) -> Options:
    return Options(token=words)


@pytest.fixture
def app(target: Target, topology: Topology) -> App:
    if topology.spec.auth is not Auth.JWT:
        pytest.skip("this lab asks for no tokens ('auth = jwt' does)")
    assert target.admission.app is not None
    return target.admission.app


@pytest.fixture
def account(target: Target, topology: Topology) -> Account:
    if topology.spec.auth is not Auth.INTERNAL:
        pytest.skip("this lab has no accounts ('auth = internal' has)")
    assert target.admission.account is not None
    return target.admission.account


def refusal(target: Target, room: str, options: Options) -> str:
    """What somebody is told who must not come in."""
    with crowd_in(target, room, options=options) as crowd:
        with pytest.raises(CrowdError) as told:
            crowd.join(1, deadline=JOIN_SECONDS)
        return told.value.message


# Tokens.


def test_token_opens_its_room(app: App, target: Target, room: str) -> None:
    """When this fails, people with a valid invitation are sent away."""
    options = token(app.token(room=room, tenant=target.domain))
    with crowd_in(target, room, options=options) as crowd:
        crowd.join(1, deadline=JOIN_SECONDS)
        crowd.join(1, deadline=JOIN_SECONDS, options=replace(options, line=Line.BOSH))
        crowd.wait_invited(deadline=SECONDS)


def test_token_opens_a_tenants_room(app: App, target: Target, room: str) -> None:
    """When this fails, a company's token does not open the company's rooms, or opens another's."""
    options = token(app.token(room=room, tenant="acme"))
    with crowd_in(target, f"acme/{room}", options=options) as crowd:
        crowd.join(2, deadline=JOIN_SECONDS)
        crowd.wait_invited(deadline=SECONDS)
    assert "not-allowed" in refusal(target, f"other/{room}", options)
    assert "not-allowed" in refusal(target, room, options)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        pytest.param({"seconds": -60.0}, "exp", id="expired"),
        pytest.param({"audience": "somebody-else"}, "aud", id="wrong audience"),
    ],
)
def test_token_that_is_not_valid_is_refused(
    app: App, target: Target, room: str, wrong: dict[str, str], told: str
) -> None:
    """When this fails, yesterday's or another service's invitation still opens the door."""
    said = refusal(target, room, token(app.token(room=room, **wrong)))  # type: ignore[arg-type]
    assert "not-allowed" in said and told in said, said


def test_token_of_somebody_else_is_refused(app: App, target: Target, room: str) -> None:
    """When this fails, everybody can write an invitation."""
    for other, told in ((App(app.id, "guessed"), "signature"), (App("else", app.secret), "iss")):
        said = refusal(target, room, token(other.token(room=room)))
        assert "not-allowed" in said and told in said, said
    unsigned = ".".join([*app.token(room=room).split(".")[:2], ""])
    assert "not-allowed" in refusal(target, room, token(unsigned))


def test_without_a_token_nobody_logs_in(app: App, target: Target, room: str) -> None:
    """When this fails, the lab asks for tokens and lets everybody in."""
    said = refusal(target, room, GUEST)
    assert "not-allowed" in said and "token required" in said, said


def test_token_of_another_room_is_refused(app: App, target: Target, room: str) -> None:
    """When this fails, an invitation to one meeting opens all others; that one goes on."""
    with crowd_in(target, room) as crowd:
        [inside] = crowd.join(1, deadline=JOIN_SECONDS)
        said = refusal(target, room, token(app.token(room=f"{room}-other", tenant=target.domain)))
        assert "not-allowed" in said, said
        assert inside.view().others == frozenset()


def test_session_is_resumed_with_its_token(app: App, target: Target, room: str) -> None:
    """When this fails, who loses the network is asked for a new invitation."""
    with crowd_in(target, room, options=Options(lasting=True)) as crowd:
        [one] = crowd.join(1, deadline=JOIN_SECONDS)
        one.drop()
        one.resume(deadline=SECONDS)
        one.say("here again")
        one.wait_for(Kind.MESSAGE, deadline=SECONDS)


# Accounts and guests.


@pytest.fixture
def meeting(
    account: Account, target: Target, room: str
) -> Iterator[tuple[SyncParticipant, SyncParticipant, SyncCrowd]]:
    """A host with an account, a guest who came later, and their room."""
    with crowd_in(target, room) as crowd:
        [host] = crowd.join(1, deadline=JOIN_SECONDS)
        [guest] = crowd.join(1, deadline=JOIN_SECONDS, options=GUEST)
        yield host, guest, crowd


Meeting = tuple[SyncParticipant, SyncParticipant, SyncCrowd]


def test_guest_joins_what_a_host_began(meeting: Meeting, patience: Patience) -> None:
    """When this fails, guests wait outside although the meeting is on, or hear nothing in it."""
    host, guest, crowd = meeting
    crowd.wait_invited(deadline=SECONDS)
    both = [frozenset([guest.nick]), frozenset([host.nick])]
    seen = jicofo.wait_value(
        lambda: [view.others for view in crowd.views()], both, seconds=SECONDS, patience=patience
    )
    assert seen == both


def test_host_moderates_and_guest_does_not(
    meeting: Meeting, target: Target, patience: Patience
) -> None:
    """When this fails, guests can mute and remove the people who invited them."""
    host, guest, _ = meeting
    roles = jicofo.wait_value(
        lambda: (host.view().role, guest.view().role),
        ("moderator", "participant"),
        seconds=SECONDS,
        patience=patience,
    )
    assert roles == ("moderator", "participant")
    assert f"@guest.{target.domain}/" in str(guest.view().jid)


def test_guest_begins_nothing(account: Account, target: Target, room: str) -> None:
    """When this fails, everybody on the internet can hold meetings on this server."""
    assert "not-authorized" in refusal(target, room, GUEST)
    assert web.request_conference(target, room, visitor=False).status == 403


@pytest.mark.parametrize("user", ["host", "focus", "nobody"])
def test_wrong_password_opens_nothing(
    account: Account, target: Target, topology: Topology, user: str
) -> None:
    """When this fails, an account opens with any password."""
    assert login(target, topology.domain, Account(user, "wrong")) == "not-authorized"


def test_main_domain_has_no_anonymous_login(
    account: Account, target: Target, topology: Topology
) -> None:
    """When this fails, guests pass as hosts by leaving out a word of the domain."""
    assert login(target, topology.domain, None) != "in"


def login(target: Target, domain: str, account: Account | None) -> str:
    """'in', or the condition with which a login is refused."""

    async def attempt() -> str:
        stream = Stream(
            target, domain=domain, door=Door(""), on_stanza=lambda _: None, on_lost=lambda _: None
        )
        async with asyncio.timeout(target.patience.scaled(SECONDS)):
            await stream.connect()
            try:
                await stream.login(account)
            except StanzaError as error:
                return error.condition
            finally:
                await stream.close()
        return "in"

    return wait(attempt())


# The lobby.


def test_lobby_is_offered_as_the_lab_was_asked(target: Target, topology: Topology) -> None:
    """When this fails, moderators miss the switch for the lobby, or have one that does nothing."""
    with stranger_at(target) as stranger:
        lobbies = {name for kind, name in stranger.components(topology.domain)
                   if kind == "lobbyrooms"}  # fmt: skip
    assert lobbies == ({f"lobby.{topology.domain}"} if topology.spec.lobby else set())
