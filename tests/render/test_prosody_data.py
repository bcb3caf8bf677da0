"""prosody_data against files that Prosody 13.0.6's own `prosodyctl register` wrote."""

from __future__ import annotations

import uuid

import pytest
from lupa import LuaRuntime

from labctl.render.prosody_data import data_file, render_account, render_roster

# prosodyctl register focus auth.meet.lab.internal secret2, the keys it stored
SALT = uuid.UUID("45b703a9-7403-4bc1-baec-fe155f7d10ce")
STORED = "1ac999abf1d0f36a0ce15fefe3b7a591458df93b"
SERVER = "ea16d9fe1bb0c96c40dd5fb924603ff1dd7cc6b7"


def test_account_has_the_keys_that_prosodyctl_stores() -> None:
    text = render_account("secret2", salt=SALT.bytes)
    assert f'["stored_key"] = "{STORED}";' in text
    assert f'["server_key"] = "{SERVER}";' in text
    assert f'["salt"] = "{SALT}";' in text
    assert '["iteration_count"] = 10000;' in text
    assert "secret2" not in text


def test_another_password_has_other_keys() -> None:
    assert STORED not in render_account("secret", salt=SALT.bytes)


@pytest.mark.parametrize("password", ["p\u00e4ss", "a\nb"], ids=["not-ascii", "line-break"])
def test_a_password_that_saslprep_might_change_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII"):
        render_account(password, salt=SALT.bytes)


def test_a_salt_must_be_sixteen_bytes() -> None:
    with pytest.raises(ValueError, match="16"):
        render_account("x", salt=b"short")


@pytest.mark.parametrize(
    ("host", "store", "user", "path"),
    [
        (
            "auth.meet.lab.internal",
            "accounts",
            "focus",
            "/var/lib/prosody/auth%2emeet%2elab%2einternal/accounts/focus.dat",
        ),
        (
            "auth.meet.jitsi",
            "roster",
            "a_b-c",
            "/var/lib/prosody/auth%2emeet%2ejitsi/roster/a%5fb%2dc.dat",
        ),
    ],
    ids=["account", "odd-user"],
)
def test_data_file_encodes_as_prosody_does(host: str, store: str, user: str, path: str) -> None:
    assert data_file(host, store, user, data_path="/var/lib/prosody") == path


def test_roster_lets_the_client_proxy_see_focus() -> None:
    assert render_roster("focus.meet.lab.internal") == (
        "return {\n"
        '\t[false] = {\n\t\t["pending"] = {};\n\t\t["version"] = 1;\n\t};\n'
        '\t["focus.meet.lab.internal"] = {\n'
        '\t\t["groups"] = {};\n\t\t["subscription"] = "from";\n\t};\n'
        "};\n"
    )


def test_a_roster_has_an_entry_for_each_subscriber() -> None:
    lua = LuaRuntime()
    roster = lua.execute(render_roster("a@x", "b@x"))
    assert {name for name in roster if name} == {"a@x", "b@x"}
    assert {roster[name].subscription for name in ("a@x", "b@x")} == {"from"}
