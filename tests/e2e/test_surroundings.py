"""What a suite is told of a lab."""

from __future__ import annotations

import json
import os
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from labctl.core.errors import LabError
from labctl.crowd.target import Target
from labctl.e2e import surroundings
from labctl.e2e.needs import Programs
from labctl.e2e.suite import find_suite
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from tests.e2e.make import write_checkout

RULES = "MAP meet.lab.internal:443 192.168.56.105:443, MAP * ~NOTFOUND"


def target(prove: object = lambda address: None) -> Target:
    address = IPv4Address("192.168.56.105")
    return Target(address, 443, "meet.lab.internal", Path("/lab/ca.crt"), prove)  # type: ignore[arg-type]


def test_expectations_follow_the_lab() -> None:
    plain = surroundings.expectations_of(resolve(Spec(visitors=0)))
    assert plain["connectivity"]["jvb"] == {"direct": True, "turn": False}
    assert plain["jaas"]["visitors"] is False
    assert plain["dialIn"]["enabled"] is False
    assert plain["useTenant"] is True
    rich = surroundings.expectations_of(resolve(Spec(visitors=2, turn=True)))
    assert rich["connectivity"]["jvb"]["turn"] is True
    assert rich["connectivity"]["p2p"]["turn"] is True
    assert rich["jaas"]["visitors"] is True


def test_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = find_suite(write_checkout(tmp_path))
    home = tmp_path / "home"
    found = surroundings.render_environment(suite, target(), home=home)
    assert found["BASE_URL"] == "https://meet.lab.internal/"
    assert found["RESOLVER_RULES"] == RULES
    assert found["ALLOW_INSECURE_CERTS"] == "false"
    assert (found["HEADLESS"], found["MAX_INSTANCES"]) == ("true", "1")
    assert found["HOME"] == str(home)
    assert found["NODE_PATH"] == str(tmp_path / "node_modules")
    # What the user has set for another installation does not reach the suite.
    assert found["GRID_HOST_URL"] == found["JAAS_TENANT"] == found["ROOM_NAME"] == ""
    assert found["DOTENV_CONFIG_PATH"] == os.devnull
    shown = surroundings.render_environment(suite, target(), home=home, headless=False)
    assert shown["HEADLESS"] == "false"


@pytest.mark.parametrize(("user", "sandbox"), [(0, False), (1000, True)])
def test_what_webdriverio_is_asked(
    user: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, sandbox: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    suite = find_suite(write_checkout(tmp_path))
    programs = Programs("/n", "/usr/bin/chromium", "/usr/bin/chromedriver", {})
    text = surroundings.render_asked(
        suite, target(), programs=programs, results=Path("/r"), folder=Path("/f")
    )
    asked = json.loads(text)
    assert asked["config"] == str(tmp_path / "tests" / "wdio.conf.ts")
    assert (asked["chromium"], asked["chromedriver"]) == (programs.chromium, programs.chromedriver)
    assert f"--host-resolver-rules={RULES}" in asked["args"]
    assert ("--no-sandbox" in asked["args"]) is not sandbox


def test_a_home_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted: list[tuple[Path, Path]] = []
    monkeypatch.setattr(surroundings, "write_trust", lambda *given: trusted.append(given))
    with surroundings.throw_away_home(target(), {"useTenant": False}) as home:
        assert trusted == [(home, Path("/lab/ca.crt"))]
        assert json.loads((home / surroundings.EXPECTATIONS).read_text()) == {"useTenant": False}
        assert (home / "tmp").is_dir()
    assert not home.exists()


def test_nothing_is_sent_to_an_address_that_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: IPv4Address) -> None:
        raise LabError(f"'{address}' is not ours.")

    monkeypatch.setattr(surroundings, "write_trust", lambda *_: pytest.fail("too late"))
    with (
        pytest.raises(LabError, match=r"192\.168\.56\.105"),
        surroundings.throw_away_home(target(refuse), {}),
    ):
        pytest.fail("too late")


def test_the_configuration_is_there() -> None:
    assert surroundings.CONFIG.is_file()
