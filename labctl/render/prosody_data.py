"""Prosody's own data files (storage `internal`) as text: accounts and rosters.

Placing these files has the effect of `prosodyctl register` and `prosodyctl mod_roster_command`,
without a command on the node and without a password in an argument list.  The formats are those of
Prosody 13.0.6 with authentication `internal_hashed`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid

ITERATIONS = 10_000
"""Prosody's `default_iteration_count`."""

_NOT_ALNUM = re.compile(r"[^A-Za-z0-9]")


def data_folder(host: str, *, data_path: str) -> str:
    """The folder of a host's stores, percent-encoded."""
    return f"{data_path}/{_encode(host)}"


def data_file(host: str, store: str, user: str, *, data_path: str) -> str:
    """The path of `user`'s file in a store of Prosody; host and user are percent-encoded."""
    return f"{data_folder(host, data_path=data_path)}/{store}/{_encode(user)}.dat"


def render_account(password: str, *, salt: bytes) -> str:
    """An account as SCRAM-SHA-1 keys (RFC 5802), never the password; `salt` is 16 bytes.

    Prosody's salts are UUIDs in text form, and it hashes that text, so the bytes are written as
    a UUID.  The times `created` and `updated` are left out, so the same input gives the same text.
    Errors: ValueError for a salt of another length, or a password that SASLprep might change.
    """
    if not (password.isascii() and password.isprintable()):
        raise ValueError("a password for Prosody must be printable ASCII")
    salt_text = str(uuid.UUID(bytes=salt))
    salted = hashlib.pbkdf2_hmac("sha1", password.encode(), salt_text.encode(), ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha1")
    server_key = hmac.digest(salted, b"Server Key", "sha1")
    return (
        "return {\n"
        f'\t["iteration_count"] = {ITERATIONS};\n'
        f'\t["salt"] = "{salt_text}";\n'
        f'\t["server_key"] = "{server_key.hex()}";\n'
        f'\t["stored_key"] = "{hashlib.sha1(client_key).hexdigest()}";\n'
        "};\n"
    )


def render_roster(*subscribers: str) -> str:
    """A roster whose owner lets each of `subscribers` see its presence.

    This is what `prosodyctl mod_roster_command subscribe <subscriber> <owner>` writes to the
    owner's roster.  Jicofo's roster has `focus.<domain>`; without it, the client proxy never learns
    where Jicofo is, and conference requests fail with `service-unavailable`.
    """
    items = "".join(
        f'\t["{jid}"] = {{\n\t\t["groups"] = {{}};\n\t\t["subscription"] = "from";\n\t}};\n'
        for jid in subscribers
    )
    metadata = '\t[false] = {\n\t\t["pending"] = {};\n\t\t["version"] = 1;\n\t};\n'
    return f"return {{\n{metadata}{items}}};\n"


def _encode(text: str) -> str:
    # Every byte that is not a letter or digit, in lower-case hex: a dot is `%2e`.
    return _NOT_ALNUM.sub(lambda match: "".join(f"%{b:02x}" for b in match[0].encode()), text)
