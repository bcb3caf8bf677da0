"""Units, processes and logs: everything that must run does, as whom it should, and cleanly."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from acceptance import facts as gathering
from acceptance import known, remote
from acceptance.clock import Offset, look
from acceptance.facts import Facts
from acceptance.scripts import LOOP_SECONDS
from acceptance.undertest import LabUnderTest
from labctl.images.packages import MAIN_PACKAGES
from labctl.topology.model import Node, VNode
from labctl.topology.roles import prosody_units

pytestmark = pytest.mark.services

MOST_RESTARTS = 3
"""By systemd, of all units of a node within LOOP_SECONDS; a drill kills once, a loop never ends."""
CLOCK_SECONDS = 1.0
SHOWN_LINES = 5

NODE_FACTS = Mapping[str, Facts | str]


def owners(facts: Facts, proto: str, port: int) -> set[str]:
    """The users that opened a port's sockets."""
    return {listener.user for listener in facts.listening(proto, port)}


def test_unit_is_active_and_enabled(facts: NODE_FACTS, holder: Node, unit: str) -> None:
    """When this fails, a service is down, or will be after the next reboot of the node."""
    found = gathering.of(facts, holder.name)
    assert found.starts_at_boot(unit), f"'{unit}' is '{found.units[unit].enabled}'"
    assert (found.units[unit].active, found.units[unit].result) == ("active", "success")


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
    if not prosody_units(node):
        pytest.skip(f"'{node.name}' runs no Prosody")
    assert list(gathering.of(facts, node.name).failed_modules()) == []


def test_no_unit_restarts_again_and_again(facts: NODE_FACTS, node: Node) -> None:
    """When this fails, a service dies as often as it is started: calls end every few seconds."""
    restarts = gathering.of(facts, node.name).lines("restarts")
    assert len(restarts) <= MOST_RESTARTS, f"within {LOOP_SECONDS} s: {restarts}"


def test_nothing_crashed(facts: NODE_FACTS, node: Node) -> None:
    """When this fails, a process ended in a core or heap dump, and took its calls with it."""
    assert gathering.of(facts, node.name).lines("dumps") == ()


def assert_clean(lab: LabUnderTest, found: list[str]) -> None:
    """Fail on lines that `acceptance/known.py` does not explain.

    Its lists were made on stand-ins and from docs/facts/; nobody has read a whole log of the
    originals against them.  So on real packages such lines are shown as an expected failure (`x`,
    and in the report) until they are judged: `labctl gate` compares them with a baseline's.
    """
    if found and set(MAIN_PACKAGES) - set(lab.stand_ins()):
        shown = "; ".join(found[:SHOWN_LINES])
        pytest.xfail(f"{len(found)} lines of real packages that nobody has judged yet: {shown}")
    assert found == []


def test_journal_is_clean(lab: LabUnderTest, facts: NODE_FACTS, node: Node) -> None:
    """When this fails, something warns of what nobody has looked at yet (acceptance/known.py)."""
    lines = gathering.of(facts, node.name).lines("journal")
    assert_clean(lab, known.unknown(lines, known.JOURNAL))


def test_logs_are_clean(
    lab: LabUnderTest, facts: NODE_FACTS, node: Node, installed: Mapping[str, str]
) -> None:
    """When this fails, Prosody, nginx or one of Jitsi's programs logged an error not yet known."""
    lines = gathering.of(facts, node.name).lines("logs")
    assert_clean(lab, known.unknown(lines, known.logs(installed)))


@pytest.fixture(scope="module")
def offsets(lab: LabUnderTest) -> Mapping[str, Offset | str]:
    return look(lab.machines)


def test_clock_is_right(offsets: Mapping[str, Offset | str], node: Node) -> None:
    """When this fails, tokens and certificates are not valid, and logs cannot be merged by time."""
    offset = offsets[node.name]
    if isinstance(offset, str):
        pytest.fail(offset, pytrace=False)
    assert abs(offset.seconds) <= CLOCK_SECONDS + offset.error, str(offset)


@pytest.mark.slow
def test_prosodyctl_check_finds_nothing_new(lab: LabUnderTest, prosody: tuple[Node, str]) -> None:
    """When this fails, Prosody itself says that its configuration or certificates are wrong.

    Not asked: `dns` and `connectivity`, which need the internet, and `turn`, which needs a relay.
    """
    node, configuration = prosody
    check = f"timeout {lab.patience.whole(15)} prosodyctl --config %s check %s 2>&1"
    lines: list[str] = []
    for what in ("config", "certs", "disabled"):
        done = remote.run(lab.machines[node.name], check, configuration, what)
        assert "congratulations" in done.stdout or "Problems found" in done.stdout, done.stdout
        lines += done.stdout.splitlines()
    assert known.unknown(lines, known.PROSODY_CHECK) == []


@pytest.mark.security
def test_secrets_are_not_readable_by_everybody(facts: NODE_FACTS, node: Node) -> None:
    """When this fails, any account on the node can read keys or passwords of the lab."""
    assert gathering.of(facts, node.name).lines("readable secrets") == ()
