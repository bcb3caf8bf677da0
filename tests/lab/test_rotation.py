"""`labctl secrets rotate`: the order of things, what is interrupted, and what a kill leaves."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from labctl.core.errors import LabError, UsageError
from labctl.core.progress import silent
from labctl.lab import moving, rotation
from labctl.lab.prepare import render_lab
from labctl.lab.rotation import Rotation, drop_retired, rotate, settle_rotation
from labctl.lab.secretuses import SecretKind, list_secrets, uses_of
from labctl.node.jicofo import DEBUG, PORT
from labctl.node.jicofomoves import CONFERENCES, MOVE_ENDPOINTS
from labctl.render.secrets import Secrets, load_secrets
from labctl.topology.lab import Lab
from provision.run import provision
from tests.fakes.host import FakeHost
from tests.fakes.lab import make_healthy
from tests.fakes.nodes import ANY, FakeNodes, Ran

BRIDGE, JICOFO, PROSODY = "jitsi-videobridge2.service", "jicofo.service", "prosody.service"
VNODES = ("prosody-v@1.service", "prosody-v@2.service")
ROOM = "room@conference.meet.lab.internal"


@dataclass
class FakeJicofo:
    """Two bridges and one call; it moves the call off a bridge that drains, if it `obeys`."""

    hosts: dict[str, FakeHost]
    on: str = "jvb1"
    obeys: bool = True
    draining: set[str] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    def conferences(self, _: Ran) -> str:
        sessions = {self.on: {"participants": {"a": {}, "b": {}}}}
        return json.dumps({ROOM: {"colibri_session_manager": {"sessions": sessions}}})

    def bridges(self, _: Ran) -> str:
        known = {
            f"jvbbrewery@muc/{nick}": {"operational": True, "drain": nick in self.draining}
            for nick in ("jvb", "jvb1")
        }
        return json.dumps({"bridge_selector": {"bridge": known}})

    def move(self, ran: Ran) -> str:
        gone = "jvb1" if "bridge=jvb1" in ran.text else "jvb"
        self.said.append(f"move {gone} {len(self.restarted())}")
        if self.obeys:
            self.on = {"jvb": "jvb1", "jvb1": "jvb"}[gone]
        return '{"movedEndpoints": 2, "conferences": 1}'

    def drain(self, ran: Ran) -> str:
        nick = {"jms": "jvb"}.get(ran.node, ran.node)
        (self.draining.add if "enable" in ran.text else self.draining.discard)(nick)
        return ""

    def restarted(self) -> list[str]:
        return [name for name, host in self.hosts.items() if f"restart {BRIDGE}" in host.calls]

    def units(self, node: str, does: Callable[[Ran], str]) -> Callable[[Ran], str]:
        """A restart of a node's bridge ends its draining."""

        def run(ran: Ran) -> str:
            if f"restart\t{BRIDGE}" in (ran.stdin or ""):
                self.draining.discard({"jms": "jvb"}.get(node, node))
                self.said.append(f"restart {node}")
            if f"restart\t{JICOFO}" in (ran.stdin or ""):
                self.said.append("restart jicofo")
            return does(ran)

        return run


@pytest.fixture
def hosts(lab: Lab, nodes: FakeNodes) -> dict[str, FakeHost]:
    """The nodes of the lab as `labctl up` leaves them."""
    found = {node.name: FakeHost.on(nodes, node.name) for node in lab.topology.nodes}
    render_lab(lab)
    provision(lab, progress=silent, log=lab.folder.path / "log")
    for host in found.values():
        host.calls.clear()
    nodes.says(ANY, "", to="grep -rlaFf")
    return found


@pytest.fixture
def jicofo(
    lab: Lab, hosts: dict[str, FakeHost], nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> FakeJicofo:
    from provision.facts import script

    for name in ("KNOWN_SECONDS", "MOVED_SECONDS"):
        monkeypatch.setattr(moving, name, 0.2)
    monkeypatch.setattr(moving, "INTERVAL", 0.01)
    fake = FakeJicofo(hosts)
    nodes.says("jms", fake.bridges, to=f"{PORT}{DEBUG}")
    nodes.says("jms", fake.conferences, to=CONFERENCES)
    nodes.says("jms", fake.move, to=MOVE_ENDPOINTS)
    nodes.says(ANY, fake.drain, to=moving.DRAIN)
    for name, host in hosts.items():
        nodes.says(name, fake.units(name, host.units), to=script("units").text)
    make_healthy(nodes, lab.topology)
    return fake


def values_in(host: FakeHost, secrets: Secrets) -> set[str]:
    text = "".join(file.text for file in host.files.values())
    return {name for name, value in secrets.values.items() if value in text}


def test_every_secret_is_replaced_on_every_node(
    lab: Lab, hosts: dict[str, FakeHost], jicofo: FakeJicofo
) -> None:
    old = load_secrets(lab.folder)
    done = rotate(lab, (), progress=silent)
    new = load_secrets(lab.folder)
    assert set(done.replaced) == set(new.values) == {
        "focus", "jvb", "turn", "host", "app", "focus/v1", "focus/v2"
    }  # fmt: skip
    assert not set(old.values.values()) & set(new.values.values())
    assert not set(old.salts.values()) & set(new.salts.values())
    assert [values_in(host, old) for host in hosts.values()] == [set()] * 3
    assert values_in(hosts["jms"], new) == {"focus", "jvb", "turn", "focus/v1", "focus/v2"}
    assert values_in(hosts["visitors1"], new) == {"turn"}
    assert done.applied and not done.hasty and not new.retired


def test_no_prosody_is_restarted_and_the_call_moves_before_its_bridge_goes(
    lab: Lab, hosts: dict[str, FakeHost], jicofo: FakeJicofo
) -> None:
    done = rotate(lab, (), progress=silent)
    # The bridge without people first; then those of the other one move to it; Jicofo at the end.
    assert jicofo.said == ["restart jms", "move jvb1 1", "restart jvb1", "restart jicofo"]
    assert hosts["jms"].calls == [
        f"reload {PROSODY}", f"restart {BRIDGE}", f"restart {JICOFO}"
    ]  # fmt: skip
    assert hosts["visitors1"].calls == [f"reload {unit}" for unit in VNODES]
    assert done.reloaded == {"jms": (PROSODY,), "visitors1": VNODES}
    assert done.restarted == {"jms": (JICOFO, BRIDGE), "jvb1": (BRIDGE,)}
    assert jicofo.draining == set()


def test_only_what_a_named_secret_concerns_is_touched(
    lab: Lab, hosts: dict[str, FakeHost], jicofo: FakeJicofo
) -> None:
    old = load_secrets(lab.folder)
    rotate(lab, ("turn",), progress=silent)
    new = load_secrets(lab.folder)
    assert {name for name in new.values if new.values[name] != old.values[name]} == {"turn"}
    assert hosts["jms"].calls == [f"reload {PROSODY}"]
    assert (jicofo.said, hosts["jvb1"].calls) == ([], [])


def test_a_second_up_finds_nothing_to_do(
    lab: Lab, hosts: dict[str, FakeHost], jicofo: FakeJicofo
) -> None:
    rotate(lab, (), progress=silent)
    render_lab(lab)
    assert provision(lab, progress=silent, log=lab.folder.path / "log").empty


def test_a_call_that_cannot_be_moved_is_interrupted_and_that_is_said(
    lab: Lab, hosts: dict[str, FakeHost], jicofo: FakeJicofo
) -> None:
    jicofo.obeys = False
    done = rotate(lab, ("jvb",), progress=silent)
    assert done.hasty == {"jvb1": "calls were still on it after 0 s"}
    assert jicofo.restarted() == ["jms", "jvb1"]


@pytest.mark.parametrize(
    "where", ["save_secrets", "render_lab", "placed", "set_drain", "wait_back", "wait_signals"]
)
@pytest.mark.parametrize("again", ["rotate", "up"])
def test_killed_at_any_step_it_ends_with_the_new_ones(
    where: str, again: str, lab: Lab, hosts: dict[str, FakeHost], jicofo: FakeJicofo,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Before the new values are on the disk nothing has happened; then they are what counts."""
    old = load_secrets(lab.folder)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rotation, where, killed)
        with pytest.raises(KeyboardInterrupt):
            rotate(lab, (), progress=silent)
    between = load_secrets(lab.folder)
    if where == "save_secrets":
        assert between == old
    else:
        assert between.retired == dict(old.values)
    if again == "rotate":
        rotate(lab, (), progress=silent)
    else:
        render_lab(lab)
        provision(lab, progress=silent, log=lab.folder.path / "log")
        settle_rotation(lab, progress=silent)
    new = load_secrets(lab.folder)
    if where != "save_secrets":
        assert new.values == between.values, "a rotation that continues makes no third secret"
    assert not new.retired
    left = old if (where, again) == ("save_secrets", "up") else new
    assert values_in(hosts["jms"], left) == {"focus", "jvb", "turn", "focus/v1", "focus/v2"}
    # What runs has read the new one: it was restarted or reloaded after its file was placed.
    if left is new:
        assert f"restart {BRIDGE}" in hosts["jvb1"].calls


def test_an_old_secret_that_is_still_somewhere_is_named_and_kept(
    lab: Lab, hosts: dict[str, FakeHost], jicofo: FakeJicofo, nodes: FakeNodes
) -> None:
    old = load_secrets(lab.folder).jvb_password
    nodes.says("jvb1", "/root/notes.txt\n", to="grep -rlaFf")
    with pytest.raises(LabError, match=r"an old one is still in: jvb1:/root/notes\.txt"):
        rotate(lab, ("jvb",), progress=silent)
    assert load_secrets(lab.folder).retired == {"jvb": old}
    [asked] = nodes.ran_on("jvb1", "grep -rlaFf")
    assert asked.stdin == f"{old}\n" and old not in asked.text
    nodes.says("jvb1", "", to="grep -rlaFf")
    assert drop_retired(lab, progress=silent) == ""
    assert not load_secrets(lab.folder).retired


def test_up_says_where_an_old_secret_still_is(
    lab: Lab, hosts: dict[str, FakeHost], nodes: FakeNodes
) -> None:
    from labctl.render.secrets import now, save_secrets

    save_secrets(lab.folder, load_secrets(lab.folder).rotated(["jvb"], now=now()))
    nodes.says("jms", "/tmp/x\n", to="grep -rlaFf")
    said: list[str] = []
    settle_rotation(lab, progress=lambda phase, text, node=None: said.append(f"{phase} {text}"))
    assert said[-1].endswith("is still in these files of its nodes: jms:/tmp/x.")


def test_a_lab_that_up_would_change_is_refused_before_anything_is(
    lab: Lab, hosts: dict[str, FakeHost], jicofo: FakeJicofo
) -> None:
    old = load_secrets(lab.folder)
    hosts["jms"].active.discard(JICOFO)
    with pytest.raises(LabError, match="is not as 'labctl up' leaves it: jms"):
        rotate(lab, (), progress=silent)
    assert load_secrets(lab.folder) == old


def test_a_stopped_node_is_refused(
    lab: Lab, hosts: dict[str, FakeHost], monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {"jms": "running", "jvb1": "stopped", "visitors1": "running"}
    monkeypatch.setattr(rotation.VagrantMachines, "states", lambda _: states)
    with pytest.raises(LabError, match="do not run: jvb1"):
        rotate(lab, (), progress=silent)


def test_a_lab_without_machines_only_gets_new_ones(
    lab: Lab, nodes: FakeNodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    render_lab(lab)
    states = dict.fromkeys(("jms", "jvb1", "visitors1"), "not_created")
    monkeypatch.setattr(rotation.VagrantMachines, "states", lambda _: states)
    done = rotate(lab, ("jvb",), progress=silent)
    assert replace(done, seconds=0.0) == Rotation("demo", ("jvb",))
    assert nodes.ran == [] and not load_secrets(lab.folder).retired


def test_an_unknown_name_is_refused(lab: Lab, hosts: dict[str, FakeHost]) -> None:
    with pytest.raises(UsageError, match="no secret 'jvb1'") as caught:
        rotate(lab, ("jvb1",), progress=silent)
    assert "focus/v1" in str(caught.value.hint)


def test_where_secrets_are_used(lab: Lab) -> None:
    render_lab(lab)
    uses = uses_of(lab, load_secrets(lab.folder))
    found = {name: {(use.node, use.path) for use in each} for name, each in uses.items()}
    account = "/var/lib/prosody/auth%2emeet%2elab%2einternal/accounts/jvb.dat"
    jvb_conf = "/etc/jitsi/videobridge/jvb.conf"
    assert found["jvb"] == {("jms", account), ("jms", jvb_conf), ("jvb1", jvb_conf)}
    assert found["focus"] == {
        ("jms", account.replace("jvb", "focus")), ("jms", "/etc/jitsi/jicofo/jicofo.conf")
    }  # fmt: skip
    assert ("visitors1", "/etc/prosody-v1/prosody.cfg.lua") in found["turn"]
    assert found["host"] == found["app"] == set()
    assert {use.units for use in uses["jvb"] if use.path == jvb_conf} == {(BRIDGE,)}


def test_the_list_has_every_secret_and_no_value(lab: Lab) -> None:
    render_lab(lab)
    secrets = load_secrets(lab.folder)
    facts = list_secrets(lab, secrets)
    assert [one.name for one in facts if one.rotates] == list(secrets.values)
    keys = {one.name for one in facts if one.kind is SecretKind.KEY}
    assert {"ca/ca.key", "ca/meet.lab.internal.key"} <= keys
    assert all(one.why_not for one in facts if not one.rotates)
    assert not [value for value in secrets.values.values() if value in repr(facts)]
