"""What a lab's secrets are, which files hold them, and when each was made."""

from __future__ import annotations

import string
from dataclasses import replace
from uuid import UUID

import pytest

from labctl.core.state import Flaw, StateError
from labctl.render.prosody_data import render_account
from labctl.render.secrets import (
    Secrets,
    ensure_secrets,
    load_secrets,
    now,
    save_secrets,
)
from labctl.topology.workdir import Workdir

SECRETS = Secrets(
    focus_password="f",
    jvb_password="j",
    turn_secret="t",
    vnode_passwords={"v1": "p1", "v2": "p2"},
    salts={"focus": "0" * 32, "jvb": "1" * 32, "host": "2" * 32, "focus/v1": "3" * 32},
    host_password="h",
    app_secret="a",
    made={"jvb": 5},
    retired={"turn": "t0"},
)
EVERY = ["focus", "jvb", "turn", "host", "app", "focus/v1", "focus/v2"]


def test_every_secret_has_a_name() -> None:
    assert SECRETS.values == dict(zip(EVERY, ["f", "j", "t", "h", "a", "p1", "p2"], strict=True))


@pytest.mark.parametrize(
    ("name", "marks"),
    [
        ("turn", ("t",)),
        ("jvb", ("j", "11111111-1111-1111-1111-111111111111")),
        ("focus/v2", ("p2",)),
    ],
)
def test_a_file_that_holds_a_secret_has_a_mark_of_it(name: str, marks: tuple[str, ...]) -> None:
    assert SECRETS.marks(name) == marks


def test_the_mark_of_an_account_is_in_its_stored_form() -> None:
    stored = render_account("j", salt=bytes.fromhex(SECRETS.salts["jvb"]))
    assert SECRETS.marks("jvb")[1] in stored


def test_secrets_are_counted_in_a_log_and_not_shown() -> None:
    assert repr(SECRETS) == "Secrets(2 vnodes)"


@pytest.mark.parametrize("name", EVERY)
def test_a_rotated_secret_is_new_and_nothing_else_is(name: str) -> None:
    before = replace(SECRETS, retired={"focus/v3": "p3"})
    after = before.rotated([name], now=9)
    changed = {key for key in EVERY if after.values[key] != SECRETS.values[key]}
    assert changed == {name}
    salts = {key for key in SECRETS.salts if after.salts[key] != SECRETS.salts[key]}
    assert salts == {name} & set(SECRETS.salts) and after.salts.keys() == SECRETS.salts.keys()
    assert after.made == {"jvb": 5} | {name: 9}
    assert after.retired == {"focus/v3": "p3", name: SECRETS.values[name]}


def test_a_secret_whose_rotation_has_not_ended_stays() -> None:
    assert SECRETS.rotated(["turn"], now=9) == SECRETS


def test_new_secrets_are_long_and_need_no_quotes(workdir: Workdir) -> None:
    made = ensure_secrets(workdir, vnodes=["v1"])
    values = list(made.values.values())
    assert len(set(values)) == len(values) == 6
    assert all(len(value) == 24 for value in values)
    assert set("".join(values)) <= set(string.ascii_letters + string.digits)
    assert all(UUID(hex=salt) for salt in made.salts.values())
    assert len(set(made.salts.values())) == len(made.salts) == 4


def test_new_salts_have_16_bytes(workdir: Workdir) -> None:
    made = ensure_secrets(workdir, vnodes=["v1"])
    after = made.rotated(["focus"], now=9)
    assert {len(bytes.fromhex(salt)) for one in (made, after) for salt in one.salts.values()} == {
        16
    }


@pytest.fixture
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Workdir:
    return Workdir(tmp_path_factory.mktemp("labs") / "demo")


def test_secrets_are_saved_as_they_are_used(workdir: Workdir) -> None:
    made = ensure_secrets(workdir, vnodes=["v2", "v1"])
    assert load_secrets(workdir) == made
    assert list(made.vnode_passwords) == ["v1", "v2"]
    assert made.made.keys() == made.values.keys() and made.retired == {}
    assert all(abs(now() - at) < 60 for at in made.made.values())


def test_a_vnode_that_is_gone_has_no_secrets(workdir: Workdir) -> None:
    ensure_secrets(workdir, vnodes=["v1", "v2"])
    left = ensure_secrets(workdir, vnodes=["v2"])
    assert list(left.vnode_passwords) == ["v2"]
    assert "focus/v1" not in left.salts.keys() | left.made.keys()


def test_what_a_rotation_remembers_is_kept(workdir: Workdir) -> None:
    rotated = ensure_secrets(workdir, vnodes=["v1"]).rotated(["jvb", "focus/v1"], now=7)
    save_secrets(workdir, rotated)
    assert ensure_secrets(workdir, vnodes=["v1"]) == rotated


def test_a_lab_of_an_older_labctl_gets_the_secrets_that_it_lacks(workdir: Workdir) -> None:
    made = ensure_secrets(workdir, vnodes=["v1"])
    salts = {key: salt for key, salt in made.salts.items() if key != "host"}
    known = {"focus": 11, "jvb": 12, "turn": 13, "focus/v1": 14}
    older = replace(made, host_password="", app_secret="", salts=salts, made=known)
    save_secrets(workdir, older)
    again = ensure_secrets(workdir, vnodes=["v1"])
    assert len(again.host_password) == len(again.app_secret) == 24
    assert len(again.salts["host"]) == 32
    assert {**again.made, "host": 0, "app": 0} == {**known, "host": 0, "app": 0}
    assert min(again.made["host"], again.made["app"]) >= now() - 60
    assert (again.turn_secret, again.salts["jvb"]) == (made.turn_secret, made.salts["jvb"])


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        pytest.param("{", Flaw.DAMAGED, id="damaged"),
        pytest.param('{"format": 99}', Flaw.NEWER, id="of a newer labctl"),
    ],
)
def test_secrets_that_cannot_be_read_can_be_made_anew(
    workdir: Workdir, text: str, flaw: Flaw
) -> None:
    ensure_secrets(workdir, vnodes=[])
    workdir.secrets_file.write_text(text)
    with pytest.raises(StateError) as caught:
        ensure_secrets(workdir, vnodes=[])
    assert caught.value.flaw is flaw
    assert caught.value.hint is not None and "makes new secrets" in caught.value.hint
    assert workdir.secrets_file.read_text() == text


def test_secrets_that_were_never_made_are_missing(workdir: Workdir) -> None:
    with pytest.raises(StateError) as caught:
        load_secrets(workdir)
    assert caught.value.flaw is Flaw.MISSING
