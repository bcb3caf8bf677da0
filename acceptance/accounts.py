"""Prosody's accounts as a node gives them: whose there are, and whether a password opens one."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping

from acceptance.facts import Facts

_ACCOUNT = re.compile(r"^(/\S+\.dat)\n(.*?)(?=^/|\Z)", re.DOTALL | re.MULTILINE)
_FIELD = re.compile(r'\["(\w+)"\] = "?([^";]+)"?;')


def accounts_of(facts: Facts) -> dict[str, dict[str, str]]:
    """Every Prosody account of a node by its file, with the fields of its SCRAM keys."""
    text = facts.text("accounts")
    return {path: dict(_FIELD.findall(body)) for path, body in _ACCOUNT.findall(text)}


def opens(account: Mapping[str, str], password: str) -> bool:
    """Whether a password belongs to an account (RFC 5802, SCRAM-SHA-1)."""
    rounds, salt = int(account["iteration_count"]), account["salt"].encode()
    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, rounds)
    client_key = hmac.digest(salted, b"Client Key", "sha1")
    return hashlib.sha1(client_key).hexdigest() == account["stored_key"]
