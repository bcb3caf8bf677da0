"""The suite's own judgement: what counts as known, how sure a spread is, which accounts open."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from acceptance import known
from acceptance.accounts import accounts_of, opens
from acceptance.certificates import services
from acceptance.chance import CHANCE, tries_for
from acceptance.facts import Facts
from acceptance.moderator import parse_note
from labctl.render.prosody_data import render_account
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.versions import NEWEST_KNOWN
from tests.fakes.nodes import sections_of


@pytest.mark.parametrize("vnodes", [2, 3, 8, 12, 20])
def test_enough_conferences_are_asked_for(vnodes: int) -> None:
    tries = tries_for(vnodes)
    assert vnodes * (1 - 1 / vnodes) ** tries <= CHANCE
    assert vnodes * (1 - 1 / vnodes) ** (tries - 1) > CHANCE


def test_one_vnode_is_asked_once() -> None:
    assert tries_for(1) == 1


UNKNOWN = [
    "2026-11-21T14:22:26+00:00 jms systemd[1]: prosody.service: Failed with result 'exit-code'.",
    "Nov 21 14:22:26 general error Error initializing module 'visitors_component' on 'visitors.x'",
    "Jicofo 2026-11-21 14:22:26.000 SEVERE: [1] Main.main#1: Failed to start jicofo:",
    "    Certificate for auth.meet.lab.internal is expired",
]
EXPECTED = [
    "2026-11-21T14:22:00+00:00 jms sshd-session[46]: pam_env(sshd:session): Unable to open env "
    "file: /etc/default/locale",
    "2026-11-21T14:22:26+00:00 jvb1 (bash)[1815]: jitsi-videobridge2.service: Referenced but unset "
    "environment variable evaluates to an empty string: JVB_OPTS",
]


def test_trouble_is_not_explained_away() -> None:
    every = (*known.JOURNAL, *known.logs(NEWEST_KNOWN), *known.PROSODY_CHECK)
    assert known.unknown(UNKNOWN, every) == UNKNOWN


def test_known_lines_are_known() -> None:
    assert known.unknown([*EXPECTED, ""], known.JOURNAL) == []


def test_a_line_of_newer_packages_is_not_known_of_older_ones() -> None:
    """Upstream's bridge has said this since its Jetty 12 (docs/facts/observed-labs.md, 5)."""
    line = ["WARNING: Using @Deprecated Class org.eclipse.jetty.servlets.CrossOriginFilter"]
    assert known.unknown(line, known.logs({"jitsi-videobridge2": "2.3-312-ga29d97d13-1"})) == []
    assert known.unknown(line, known.logs({"jitsi-videobridge2": "2.3-277-gd8f5f2e0b-1"})) == line


def test_every_known_line_has_a_reason() -> None:
    every = (*known.JOURNAL, *known.logs(NEWEST_KNOWN), *known.PROSODY_CHECK)
    assert [one.pattern for one in every if len(one.reason) < 5] == []


def test_accounts_are_read_and_guessed() -> None:
    path = "/var/lib/prosody/auth%2ex/accounts/jvb.dat"
    lines = [path, *render_account("secret", salt=bytes(range(16))).splitlines()]
    jms = Facts("jms", datetime.now(UTC), sections=sections_of({"accounts": lines}))
    [(name, account)] = accounts_of(jms).items()
    assert name == path
    assert opens(account, "secret")
    assert not opens(account, "Secret")


def test_every_tls_port_is_looked_at() -> None:
    topology = resolve(Spec(visitors=12, visitors_per_node=6))
    found = {service.label: service for service in services(topology)}
    assert set(found) == {"https", "c2s-main", "c2s-auth", *(f"c2s-v{i}" for i in range(1, 13))}
    assert found["c2s-v12"].port == 52232
    assert "conference.v12.meet.jitsi" in found["c2s-v12"].others


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param('{"type": "polls"}', {"type": "polls"}, id="object"),
        pytest.param("[1]", {}, id="list"),
        pytest.param("no JSON", {}, id="nonsense"),
        pytest.param("", {}, id="nothing"),
    ],
)
def test_notes_are_objects(words: str, expected: dict[str, str]) -> None:
    assert parse_note(words) == expected
