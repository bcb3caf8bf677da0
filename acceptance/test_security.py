"""What must not be possible: guessed passwords, foreign servers, strangers among the bridges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from acceptance import facts as gathering
from acceptance import remote, web
from acceptance.accounts import accounts_of, opens
from acceptance.facts import Facts
from acceptance.remote import Machine
from acceptance.scan import Scans
from acceptance.stranger import Stranger, stranger_at
from labctl.crowd import Target
from labctl.topology.model import Node, Topology, VNode
from labctl.topology.ports import declared_ports
from labctl.topology.roles import all_units, units_of
from labctl.topology.spec import Auth, Role
from labctl.topology.units import PortOrigin

pytestmark = pytest.mark.security

NodeFacts = Mapping[str, Facts | str]

GUESSES = (
    "",
    "focus",
    "jvb",
    "jitsi",
    "password",
    "secret",
    "changeme",
    "vagrant",
    "admin",
    "meet",
)
"""Passwords of tutorials and images; upstream's placeholders are looked for in the files."""


def test_rest_interfaces_listen_on_loopback_only(
    topology: Topology, facts: NodeFacts, node: Node
) -> None:
    """When this fails, anybody may move calls and shut bridges down: REST asks for no password."""
    ports = [port for unit in (*all_units(), *units_of(node)) for port in unit.ports]
    private = {port.number for port in ports if port.from_ is PortOrigin.LOOPBACK}
    # With monitoring, a bridge's REST is open to that node; test_ports.py holds it to that.
    private -= {port.number for port in declared_ports(topology, node)}
    found = gathering.of(facts, node.name).listeners
    assert [it for it in found if it.port in private and not it.on_loopback] == []


@pytest.mark.parametrize(
    "path", ["/stats", "/debug", "/metrics", "/colibri/stats", "/about/health"]
)
def test_site_hands_out_no_rest(target: Target, path: str) -> None:
    """When this fails, the web site tells everybody who is in which conference."""
    reply = web.ask(target, path)
    assert "json" not in reply.kind
    assert not reply.body.lstrip().startswith(("{", "# HELP", "OK"))


def test_vnode_answers_the_jms_only(scans: Scans, topology: Topology, vnode: VNode) -> None:
    """When this fails, visitors come around nginx, or somebody poses as Jicofo or as a server."""
    node = next(node for found, node in topology.vnode_nodes() if found == vnode)
    ports = {vnode.c2s_port, vnode.s2s_port, vnode.http_port}
    others = {name: found for name, found in scans.items() if name not in ("jms", node.name)}
    assert len(others) >= 1
    for source, found in others.items():
        if isinstance(found, str):
            pytest.fail(f"'{source}' could not look at the ports: {found}", pytrace=False)
        answered = {port for address, port in found if address == node.address}
        assert answered & ports == set(), f"from '{source}'"


def test_nobody_logs_in_with_a_password(facts: NodeFacts, node: Node) -> None:
    """When this fails, a guessed password opens a shell on the node."""
    found = gathering.of(facts, node.name)
    assert found.lines("login accounts") == ()
    said = dict(line.split(None, 1) for line in found.lines("ssh logins"))
    assert said["passwordauthentication"] == said["kbdinteractiveauthentication"] == "no"
    assert said["permitemptypasswords"] == "no"


def test_accounts_are_the_labs_and_no_others(
    facts: NodeFacts, topology: Topology, node: Node
) -> None:
    """When this fails, an account that nobody knows of may pose as Jicofo or as a bridge."""
    expected = {
        f"/var/lib/prosody-{vnode.name}/auth%2emeet%2ejitsi/accounts/focus.dat"
        for vnode in node.vnodes
    }
    if node.role is Role.JMS:
        host = f"auth.{topology.domain}".replace(".", "%2e").replace("-", "%2d")
        expected |= {f"/var/lib/prosody/{host}/accounts/{who}.dat" for who in ("focus", "jvb")}
        if topology.spec.auth is Auth.INTERNAL:
            main = host.removeprefix("auth%2e")
            expected.add(f"/var/lib/prosody/{main}/accounts/host.dat")
    assert set(accounts_of(gathering.of(facts, node.name))) == expected


def test_no_account_has_a_known_password(facts: NodeFacts, node: Node) -> None:
    """When this fails, whoever read a tutorial logs in as Jicofo and owns every conference."""
    accounts = accounts_of(gathering.of(facts, node.name))
    if not accounts:
        pytest.skip(f"'{node.name}' holds no accounts")
    weak = [path for path, one in accounts.items() for word in GUESSES if opens(one, word)]
    assert weak == []
    assert len({one["stored_key"] for one in accounts.values()}) == len(accounts)


def test_no_placeholder_is_left(facts: NodeFacts, node: Node) -> None:
    """When this fails, a secret is a word of upstream's template that everybody can read."""
    assert gathering.of(facts, node.name).lines("placeholders") == ()


FOREIGN = "stranger.example"
_S2S = """
exec 3<>/dev/tcp/{address}/{port}
printf '%s' "<?xml version='1.0'?><stream:stream xmlns='jabber:server' version='1.0' \
xmlns:stream='http://etherx.jabber.org/streams' from='{sender}' to='{to}'>" >&3
timeout {patient} cat <&3
"""


def greet(jms: Machine, address: str, port: int, *, sender: str, to: str) -> str:
    """What a server says to another one that greets it from the JMS."""
    limit = jms.patience.whole(2)
    script = _S2S.format(address=address, port=port, sender=sender, to=to, patient=limit)
    return str(remote.run(jms, "bash -c %s", script).stdout)


def test_main_prosody_speaks_to_no_foreign_server(jms: Machine, topology: Topology) -> None:
    """When this fails, any server on the internet may send into the conferences."""
    if not topology.vnodes:
        pytest.skip("without vnodes no server is let in by the firewall; see ports")
    address = str(topology.jms.address)
    said = greet(jms, address, 5269, sender=FOREIGN, to=topology.domain)
    assert "policy-violation" in said, said


def test_vnode_speaks_to_no_foreign_server(jms: Machine, topology: Topology, vnode: VNode) -> None:
    """When this fails, a server that is not the lab's speaks for people on the stage."""
    node = next(node for found, node in topology.vnode_nodes() if found == vnode)
    muc = f"conference.{vnode.domain}"
    said = greet(jms, str(node.vnode_address), vnode.s2s_port, sender=FOREIGN, to=muc)
    assert "policy-violation" in said, said


@pytest.fixture(scope="module")
def stranger(target: Target) -> Iterator[Stranger]:
    """Somebody who logged in without an account, as every participant does."""
    with stranger_at(target) as found:
        yield found


def test_stranger_may_not_look_into_the_brewery(stranger: Stranger, topology: Topology) -> None:
    """When this fails, a participant may pass for a bridge, and Jicofo sends calls there.

    Upstream's Debian configuration lets everybody in; labctl's is members-only.
    """
    room = f"jvbbrewery@internal.auth.{topology.domain}"
    assert stranger.enter(room) in ("registration-required", "forbidden", "not-allowed")


def test_stranger_may_not_make_rooms_of_the_system(stranger: Stranger, topology: Topology) -> None:
    """When this fails, somebody takes a name that Jicofo or a bridge needs."""
    assert stranger.enter(f"other@internal.auth.{topology.domain}") != "joined"


def test_main_prosody_takes_no_foreign_answer_for_a_server(
    stranger: Stranger, topology: Topology
) -> None:
    """When this fails, participants can make the lab send to servers of their choice."""
    if not topology.vnodes:
        pytest.skip("the whitelist of servers comes with the vnodes")
    assert stranger.ping(FOREIGN) in ("not-allowed", "service-unavailable")


@pytest.mark.parametrize("host", ["", "auth.", "recorder."])
def test_nobody_registers(stranger: Stranger, topology: Topology, host: str) -> None:
    """When this fails, strangers make accounts of their own, and keep them."""
    assert stranger.register(f"{host}{topology.domain}") != "registered"


def test_registration_needs_an_invitation(target: Target) -> None:
    """When this fails, clients make accounts before anybody has logged in.

    Debian's Prosody does offer it, for those who were invited; a lab invites nobody.
    """
    register = (
        "<iq xmlns='jabber:client' type='set' id='r1'><query xmlns='jabber:iq:register'>"
        "<username>mallory</username><password>mallory</password></query></iq>"
    )
    *_, answer = web.talk(target, target.domain, register)
    assert "error" in answer
    assert "result" not in answer


def test_login_without_account_is_for_meetings_only(target: Target) -> None:
    """When this fails, a stranger logs in beside Jicofo and the bridges."""
    _, features = web.talk(target, f"auth.{target.domain}")
    assert "<mechanism>" in features
    assert "ANONYMOUS" not in features
