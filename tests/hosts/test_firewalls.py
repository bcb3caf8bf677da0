"""Machines whose firewall was flushed, or is managed by firewalld or ufw."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from labctl.core.checks import CheckStatus
from labctl.core.errors import LabError
from labctl.core.process import ProcessError
from labctl.providers.docker import filters
from labctl.providers.docker.filters import (
    check_filters,
    explain_failure,
    find_loss,
    find_manager,
    refuse_lost_rules,
    restart_hint,
)
from tests.hosts.netns import look

# Recorded: `iptables -S` of both tables with Docker 20.10 and one network.
NAT = """\
-P PREROUTING ACCEPT
-P POSTROUTING ACCEPT
-N DOCKER
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
"""
FILTER = """\
-P INPUT ACCEPT
-P FORWARD DROP
-N DOCKER
-N DOCKER-ISOLATION-STAGE-1
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o lab-ef17b40a -j DOCKER
-A FORWARD -i lab-ef17b40a -o lab-ef17b40a -j ACCEPT
"""
# And with Docker 28, whose chains are others.
NEWER = """\
-P FORWARD DROP
-N DOCKER
-N DOCKER-BRIDGE
-N DOCKER-CT
-N DOCKER-FORWARD
-N DOCKER-USER
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
"""
EMPTY = "-P PREROUTING ACCEPT\n-P FORWARD ACCEPT\n"


@pytest.mark.parametrize(
    ("nat", "table", "says"),
    [
        pytest.param(NAT, FILTER, None, id="as Docker left them"),
        pytest.param(NAT, NEWER, None, id="as Docker 28 left them"),
        pytest.param(EMPTY, EMPTY, "table 'nat' is gone", id="nft flush ruleset"),
        pytest.param(NAT, EMPTY, "table 'filter' is gone", id="one table"),
        pytest.param(
            NAT,
            re.sub("(?m)^-A .*\n", "", FILTER),
            "nothing leads to the Docker engine's chains any more",
            id="iptables -F",
        ),
        pytest.param(
            NAT,
            re.sub("(?m)^-A .*\n", "", FILTER).replace("DROP", "ACCEPT"),
            None,
            id="no rule, but everything passes",
        ),
    ],
)
def test_what_is_lost_is_named(nat: str, table: str, says: str | None) -> None:
    found = find_loss(nat, table)
    assert found is None if says is None else says in (found or "")


DOCKERS = """
link docker0 172.17.0.1/16
iptables -t nat -N DOCKER
iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables -N DOCKER
iptables -N DOCKER-USER
iptables -A FORWARD -j DOCKER-USER
iptables -P FORWARD DROP
"""
FLUSH = "for t in nat filter; do iptables -t $t -F; iptables -t $t -X; done\n"


def judge() -> list[str]:
    """What doctor finds, and what `up` says before it bakes."""
    check = check_filters()
    try:
        refuse_lost_rules()
    except LabError as error:
        return [check.status, check.found, check.hint or "", error.message, error.hint or ""]
    return [check.status, check.found]


@pytest.fixture
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)


@pytest.mark.programs
@pytest.mark.usefixtures("_engine")
def test_a_flush_is_seen_and_told_with_the_cure() -> None:
    assert look(DOCKERS, judge) == ["ok", "the engine's rules are in place"]
    status, found, hint, message, cure = look(DOCKERS + FLUSH, judge)
    assert status == "fail" and "'nat' is gone (flushed)" in found
    assert message == f"This machine's firewall: {found}."
    assert hint == cure == restart_hint() and "docker" in hint.lower()
    assert look(f"{DOCKERS}iptables -F", judge)[0] == "fail"


@pytest.mark.programs
@pytest.mark.usefixtures("_engine")
def test_an_engine_that_is_not_here_is_not_judged() -> None:
    assert look("", judge) == ["ok", "the engine's rules are in place"]


@pytest.mark.parametrize("settings", ['{"iptables": false}', '{"firewall-backend": "nftables"}'])
@pytest.mark.usefixtures("_engine")
def test_an_engine_that_makes_no_such_rules_has_lost_none(
    settings: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "daemon.json"
    file.write_text(settings, encoding="utf-8")
    monkeypatch.setattr(filters, "DAEMON_FILE", file)
    monkeypatch.setattr(filters, "_firewalld", lambda word: None)
    monkeypatch.setattr(filters.socket, "if_nameindex", lambda: [(2, "docker0")])
    assert filters.find_problem() is None


def test_the_engines_own_message_is_explained() -> None:
    said = (
        "'docker network create' failed with exit status 1.\n    Error response from daemon: Failed"
        " to Setup IP tables: Unable to enable SKIP DNAT rule:  (iptables failed: iptables --wait"
        " -t nat -I DOCKER -i br-1 -j RETURN: iptables: No chain/target/match by that name."
    )
    found = explain_failure(ProcessError(said))
    assert found.message.startswith("The Docker engine's firewall rules are gone")
    assert found.hint == restart_hint()
    other = ProcessError("'docker network create' failed: Pool overlaps.")
    assert explain_failure(other) is other


FIREWALL_CMD = """#!/bin/sh
case $1 in
--state) [ "$ZONE" = stopped ] && { echo 'not running' >&2; exit 252; }; echo running ;;
--get-zone-of-interface=docker0) [ -n "$ZONE" ] || { echo 'no zone'; exit 2; }; echo "$ZONE" ;;
*) exit 2 ;;
esac
"""


@pytest.mark.programs
@pytest.mark.usefixtures("_engine")
@pytest.mark.parametrize(
    ("zone", "status", "says"),
    [
        pytest.param("docker", CheckStatus.OK, "in place; firewalld is active", id="with Docker"),
        pytest.param("trusted", CheckStatus.OK, "firewalld is active", id="by hand"),
        pytest.param("public", CheckStatus.FAIL, "firewalld started after", id="another zone"),
        pytest.param("", CheckStatus.FAIL, "firewalld started after", id="no zone"),
        pytest.param("stopped", CheckStatus.OK, "are in place", id="stopped"),
    ],
)
def test_firewalld(
    zone: str,
    status: CheckStatus,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Answers and exit statuses are those of firewalld 1.3."""
    program = tmp_path / "firewall-cmd"
    program.write_text(FIREWALL_CMD, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("ZONE", zone)
    monkeypatch.setattr(filters.socket, "if_nameindex", lambda: [])
    check = check_filters()
    assert check.status is status and says in check.found
    assert status is CheckStatus.OK or "docker" in (check.hint or "").lower()


@pytest.mark.parametrize(("text", "found"), [("ENABLED=yes\n", "ufw"), ("ENABLED=no\n", None)])
def test_ufw_is_named(
    text: str, found: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "_firewalld", lambda word: None)
    file = tmp_path / "ufw.conf"
    file.write_text(f"# /etc/ufw/ufw.conf\n#\n\n{text}LOGLEVEL=low\n", encoding="utf-8")
    assert find_manager(ufw=file) == found
    assert find_manager(ufw=tmp_path / "none") is None
