"""Commands as lines to paste, without secrets."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from labctl.core.paste import hide_in_text, hide_secrets, paste_line


def test_a_line_can_be_pasted() -> None:
    line = paste_line(["echo", "a b", "$x"], cwd=Path("/tmp/o o"), env={"A": "1 2"}, stdin="abc")
    assert line == "cd '/tmp/o o' && A='1 2' echo 'a b' '$x'  # reads 3 characters"
    assert shlex.split(line, comments=True)[-3:] == ["echo", "a b", "$x"]
    assert paste_line(["true"], cwd=Path.cwd()) == "true"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://user:pw@proxy:3128/x", "http://[secret]@proxy:3128/x"),
        ("https_proxy=http://u:p@h", "https_proxy=http://[secret]@h"),
        ("PGPASSWORD=geheim", "PGPASSWORD=[secret]"),
        ("the password: geheim", "the password: [secret]"),
        ("--token=abc&x=1", "--token=[secret]&x=1"),
        ("?jwt=eyJhbGciOi.eyJyb29t.c2ln", "?jwt=[secret]"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n", "[secret]\n"),
        ("/keys/id_ed25519", "/keys/id_ed25519"),
        ("--keyring=x", "--keyring=x"),
    ],
    ids=["address", "proxy", "setting", "words", "option", "jwt", "key", "path", "other option"],
)
def test_secrets_are_hidden(text: str, shown: str) -> None:
    assert hide_in_text(text) == shown


def test_the_value_after_a_secret_option_is_hidden() -> None:
    assert hide_secrets(["curl", "--password", "geheim", "-o", "f"]) == [
        "curl", "--password", "[secret]", "-o", "f"
    ]  # fmt: skip


def test_secret_settings_are_hidden() -> None:
    line = paste_line(["x"], env={"API_TOKEN": "geheim", "PATH": "/bin"})
    assert line == "API_TOKEN='[secret]' PATH=/bin x"
