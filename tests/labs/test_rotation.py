"""`labctl secrets rotate` on a real lab, with calls going on."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from acceptance.stun import Allocation, RefusedError, over_udp
from labctl.crowd import CrowdError, Options, Target
from labctl.crowd.admission import Account
from labctl.crowd.crowd import Crowd
from labctl.crowd.door import Door
from labctl.crowd.media import MediaKind, MediaOptions
from labctl.crowd.stream import Stream
from labctl.crowd.sync import SyncCrowd, wait
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.render.secrets import Secrets, load_secrets
from labctl.topology.lab import Lab as Inner
from labctl.topology.workdir import Workdir
from tests.labs.conftest import Lab
from tests.labs.secretsof import MAY_HOLD, files_with, watching

pytestmark = pytest.mark.lab

ROOMS, PEOPLE = 2, 3
MOST_SILENCE = 5.0
"""Seconds that somebody in a call may not hear somebody else.  Measured on a machine of two
processors with a load of 17: at most 0.85, once for each of six people in two calls."""
SECONDS = 10.0


class Calls:
    """Calls in several rooms, with sound."""

    def __init__(self, lab: Inner) -> None:
        options = Options(media=MediaOptions.of(lab.topology, MediaKind.AUDIO))
        target = Target.of(lab)
        self.rooms = [
            SyncCrowd(Crowd(target, f"rotation-{number}", options=options))
            for number in range(ROOMS)
        ]

    def begin(self) -> None:
        for room in self.rooms:
            room.join(PEOPLE, deadline=30.0)
            room.wait_media(deadline=30.0)

    def silences(self, since: float) -> dict[str, float]:
        """By participant, for how long at most nothing came from the one who was silent longest."""
        now, found = time.monotonic(), {}
        for number, room in enumerate(self.rooms):
            for view in room.media():
                gaps = [
                    gap.seconds for one in view.sources for gap in one.gaps_since(since, now=now)
                ]
                found[f"{number}/{view.nick}"] = round(max(gaps, default=0.0), 2)
        return found

    def bridges(self) -> list[set[str]]:
        return [{view.bridge for view in room.media()} for room in self.rooms]


@contextmanager
def calls_in(lab: Inner) -> Iterator[Calls]:
    calls = Calls(lab)
    try:
        calls.begin()
        yield calls
    finally:
        for room in calls.rooms:
            room.leave()


def logs_in(lab: Inner, account: Account, *, domain: str, vnode: str = "") -> bool:
    """Whether a password opens an account of Prosody's, as a bridge or Jicofo would use it."""

    async def ask() -> bool:
        def ignore(_: object) -> None:
            """Nothing that comes by itself matters here."""

        door = Door(f"vnode={vnode}" if vnode else "room=x")
        stream = Stream(Target.of(lab), domain=domain, door=door, on_stanza=ignore, on_lost=ignore)
        await stream.connect()
        try:
            await stream.login(account)
        except CrowdError as error:
            assert "not-authorized" in error.message, error.message
            return False
        finally:
            await stream.close()
        return True

    return wait(ask())


def allocates(lab: Inner, secret: str) -> bool:
    """Whether coturn takes credentials that are made with a secret."""
    name = f"{int(time.time()) + 3600}:probe"
    digest = hmac.new(secret.encode(), name.encode(), hashlib.sha1).digest()
    connection = over_udp(lab.topology.jms.address, 3478, seconds=SECONDS)
    with Allocation(connection, name, base64.b64encode(digest).decode()) as client:
        try:
            client.allocate()
        except RefusedError as refused:
            assert refused.code == 401
            return False
    return True


def doors(lab: Inner, secrets: Secrets) -> dict[str, bool]:
    """What each secret opens now."""
    auth = f"auth.{lab.topology.domain}"
    found = {
        "focus": logs_in(lab, Account("focus", secrets.focus_password), domain=auth),
        "jvb": logs_in(lab, Account("jvb", secrets.jvb_password), domain=auth),
    }
    for vnode, password in secrets.vnode_passwords.items():
        account = Account("focus", password)
        found[f"focus/{vnode}"] = logs_in(lab, account, domain="auth.meet.jitsi", vnode=vnode)
    if lab.topology.jms.turn:
        found["turn"] = allocates(lab, secrets.turn_secret)
    return found


def nodes_with(lab: Inner, values: list[str]) -> list[str]:
    """Files anywhere on any node that hold one of these values."""
    search = "grep -rlaFf - --devices=skip --exclude-dir=proc --exclude-dir=sys / 2>/dev/null || :"
    found = []
    for node in lab.topology.nodes:
        stdin = "".join(f"{value}\n" for value in values)
        said = reach(lab).run(node.name, ShellScript(search), sudo=True, stdin=stdin, seconds=300)
        found += [f"{node.name}:{path}" for path in said.output.splitlines()]
    return found


def test_secrets_are_replaced_while_calls_go_on(lab: Lab) -> None:
    inner = Inner.load(Workdir(lab.path))
    old = load_secrets(inner.folder)
    assert set(doors(inner, old).values()) == {True}
    values = dict.fromkeys(map(str.encode, old.values.values()), "old")
    with calls_in(inner) as calls, watching(values) as watch:
        began = time.monotonic()
        done = lab.run("secrets", "rotate", "--json").json()
        silences = calls.silences(began)
        time.sleep(2.0)
        silent = [view.nick for room in calls.rooms for view in room.media() if view.problem]
    assert len(silences) == ROOMS * PEOPLE and not silent
    assert max(silences.values()) <= MOST_SILENCE, silences
    assert watch.shown == set()
    new = load_secrets(inner.folder)
    assert done["applied"] and set(done["replaced"]) == set(new.values) and not done["hasty"]
    assert not any("prosody" in unit for units in done["restarted"].values() for unit in units)
    assert set(doors(inner, new).values()) == {True}
    assert set(doors(inner, old).values()) == {False}
    assert nodes_with(inner, list(old.values.values())) == []
    assert nodes_with(inner, [new.jvb_password]) != [], "a search that finds nothing is none"
    assert files_with(Path(lab.path), values) == []
    news = dict.fromkeys(map(str.encode, new.values.values()), "new")
    assert files_with(Path(lab.path), news, may=MAY_HOLD) == []


def test_a_lab_works_with_its_new_secrets(lab: Lab) -> None:
    before = lab.starts()
    lab.run("up")
    assert lab.starts() == before, "nothing is left to be applied"
    ended = lab.run("verify", "-m", "not slow", check=False)
    assert ended.code == 0, ended.out[-4000:]
