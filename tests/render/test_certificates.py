"""Which certificates a lab needs, and where a node has them."""

from __future__ import annotations

import pytest

from labctl.render import Tree
from labctl.render.nodes import certificate_names
from labctl.topology.layout import resolve
from labctl.topology.spec import Auth, Spec
from tests.rendering import fixed_trees

DOMAIN = "meet.lab.internal"


def test_every_host_of_the_main_prosody_is_in_its_certificate() -> None:
    names = certificate_names(resolve(Spec(visitors=0)))
    assert set(names) == {DOMAIN, f"auth.{DOMAIN}"}
    first, *hosts = names[DOMAIN]
    assert first == DOMAIN, "the first one is the subject"
    assert {"conference", "focus", "internal.auth", "lobby", "polls", "visitors"} < {
        host.removesuffix(f".{DOMAIN}") for host in hosts
    }
    assert all(host.endswith(f".{DOMAIN}") for host in hosts)
    assert names[f"auth.{DOMAIN}"] == [f"auth.{DOMAIN}", f"internal.auth.{DOMAIN}"]


@pytest.mark.parametrize("auth", Auth)
def test_guests_have_a_host_where_accounts_are_asked_for(auth: Auth) -> None:
    names = certificate_names(resolve(Spec(auth=auth)))[DOMAIN]
    assert (f"guest.{DOMAIN}" in names) is (auth is Auth.INTERNAL)


def test_a_vnode_is_verified_by_the_name_that_jicofo_asks_for() -> None:
    names = certificate_names(resolve(Spec(visitors=2)))
    assert names["v2.meet.jitsi"] == [
        "auth.meet.jitsi", "v2.meet.jitsi", "conference.v2.meet.jitsi", "polls.v2.meet.jitsi",
        "visitors.v2.meet.jitsi",
    ]  # fmt: skip
    assert "v3.meet.jitsi" not in names


@pytest.fixture
def jms() -> Tree:
    return fixed_trees(Spec(jvbs=0, visitors=0, turn=True))[0]


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        (f"/etc/prosody/certs/{DOMAIN}", DOMAIN),
        (f"/etc/prosody/certs/auth.{DOMAIN}", f"auth.{DOMAIN}"),
        (f"/etc/jitsi/meet/{DOMAIN}", DOMAIN),
        ("/etc/labctl/turnserver", DOMAIN),
    ],
)
def test_a_certificate_comes_with_the_ca_and_its_key(jms: Tree, stem: str, name: str) -> None:
    files = {file.path: file.text for file in jms.files}
    own, ca = files[f"{stem}.crt"].splitlines()
    assert own.startswith(f"(certificate for {name},") and ca == "(certificate of the lab's CA)"
    assert files[f"{stem}.key"] == f"(key of {name})\n"
