"""Keys made by GnuPG, read by us; and what is no key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from labctl.core.errors import LabError
from labctl.core.openpgp import choose_key, parse_fingerprint, parse_keys
from labctl.images.jitsi import JITSI_KEY
from tests.repository import Signer

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gpg"),
]


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Signer, Signer]]:
    home = tmp_path_factory.mktemp("gnupg")
    made = Signer.make(home / "one"), Signer.make(home / "two")
    yield made
    for signer in made:
        signer.stop()


def test_fingerprints_are_gnupgs(signers: tuple[Signer, Signer]) -> None:
    for signer in signers:
        (key,) = parse_keys(signer.public())
        assert key.fingerprint == signer.fingerprint
        assert parse_keys(key.data) == [key]


def test_of_two_keys_only_the_pinned_one_is_handed_on(signers: tuple[Signer, Signer]) -> None:
    one, two = signers
    both = b"".join(key.data for each in signers for key in parse_keys(each.public()))
    assert [key.fingerprint for key in parse_keys(both)] == [one.fingerprint, two.fingerprint]
    ring = choose_key(both, fingerprint=two.fingerprint, source="http://x/key")
    assert [key.fingerprint for key in parse_keys(ring)] == [two.fingerprint]


def test_key_that_is_not_the_pinned_one(signers: tuple[Signer, Signer]) -> None:
    with pytest.raises(LabError) as caught:
        choose_key(signers[0].public(), fingerprint=JITSI_KEY, source="http://x/key")
    assert signers[0].fingerprint in caught.value.message
    assert JITSI_KEY in caught.value.message


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[:300], "armour is damaged"),
        (lambda data: data.replace(b"m", b"*", 1), "armour is damaged|something other|not begin"),
        (lambda data: parse_keys(data)[0].data[:100], "cut off"),
        (lambda data: b"", "empty"),
        (lambda data: b"<html>", "something other"),
        (lambda data: b"\xff", "cut off"),
    ],
    ids=["half", "changed", "cut off", "empty", "page", "one octet"],
)
def test_what_is_no_key(signers: tuple[Signer, Signer], damage: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_keys(damage(signers[0].public()))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ffd6 5a0d a2be bdeb 73d4  4c8b b4d2 d216 f1fd 7806", JITSI_KEY),
        (f"0x{JITSI_KEY}", JITSI_KEY),
        ("B4D2D216F1FD7806", None),
        ("", None),
    ],
    ids=["with blanks", "0x", "a short id", "empty"],
)
def test_fingerprint_as_people_write_it(text: str, found: str | None) -> None:
    assert parse_fingerprint(text) == found
