"""Units, processes and logs: everything that must run does, as whom it should, and cleanly."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from acceptance import facts as gathering
from acceptance.facts import Facts
from labctl.model import Node, Role, VNode

pytestmark = pytest.mark.services

NODE_FACTS = Mapping[str, Facts | str]


def owners(facts: Facts, proto: str, port: int) -> set[str]:
    """The users that opened a port's sockets."""
    return {listener.user for listener in facts.listening(proto, port)}


def test_unit_is_active_and_enabled(facts: NODE_FACTS, holder: Node, unit: str) -> None:
    """When this fails, a service is down, or will be after the next reboot of the node."""
    found = gathering.of(facts, holder.name).units[unit]
    assert (found.active, found.enabled, found.result) == ("active", "enabled", "success")


def test_jicofo_is_a_live_process(facts: NODE_FACTS) -> None:
    """When this fails, no conference starts; a SysV unit stays 'active' after its process died."""
    jms = gathering.of(facts, "jms")
    assert owners(jms, "tcp", 8888) == {"jicofo"}
    assert '"name"' in jms.text("jicofo version")


def test_bridge_runs_as_its_own_user(facts: NODE_FACTS, bridge: Node) -> None:
    """When this fails, the process that takes packets from the internet has rights it must not."""
    assert owners(gathering.of(facts, bridge.name), "udp", 10000) == {"jvb"}


def test_prosody_runs_as_its_own_user(facts: NODE_FACTS) -> None:
    """When this fails, the signalling server has rights it must not have, or none is there."""
    assert owners(gathering.of(facts, "jms"), "tcp", 5222) == {"prosody"}


def test_vnode_runs_as_its_own_user(
    facts: NODE_FACTS, vnode: VNode, vnode_holders: Mapping[str, str]
) -> None:
    """When this fails, visitors of this vnode cannot log in, or it runs with rights too many."""
    node = gathering.of(facts, vnode_holders[vnode.name])
    found = {
        port: owners(node, "tcp", port)
        for port in (vnode.c2s_port, vnode.s2s_port, vnode.http_port)
    }
    assert found == {port: {"prosody"} for port in found}


def test_nginx_serves_without_root(facts: NODE_FACTS) -> None:
    """When this fails, pages and signalling are served by root, or not at all."""
    processes = gathering.of(facts, "jms").processes
    workers = {user for user, words in processes if words.startswith("nginx: worker process")}
    assert workers == {"www-data"}


def test_nginx_configuration_is_sound(facts: NODE_FACTS) -> None:
    """When this fails, the next reload or restart of nginx takes the whole site down."""
    assert "test is successful" in gathering.of(facts, "jms").text("nginx test")


def test_every_prosody_module_loaded(facts: NODE_FACTS, node: Node) -> None:
    """When this fails, visitors may see nobody although they are redirected and let in."""
    if node.role is Role.JVB:
        pytest.skip(f"'{node.name}' runs no Prosody")
    assert list(gathering.of(facts, node.name).failed_modules()) == []


@pytest.mark.security
def test_secrets_are_not_readable_by_everybody(facts: NODE_FACTS, node: Node) -> None:
    """When this fails, any account on the node can read keys or passwords of the lab."""
    assert gathering.of(facts, node.name).lines("readable secrets") == ()
