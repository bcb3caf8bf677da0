"""A lab's secrets: generated once, kept 0600, never in argv, logs, images or reports."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

from labctl.errors import LabError
from labctl.workdir import Workdir, write_json

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Secrets:
    """Passwords of the accounts, and the salts that their stored forms use.

    `salts` maps `focus`, `jvb` and `focus/vN` to 32 hex characters: with a salt
    of its own kept here, the stored form of an account is the same text at every run.
    """

    focus_password: str
    jvb_password: str
    turn_secret: str
    vnode_passwords: dict[str, str] = field(default_factory=dict)
    salts: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Without the secrets: this may end in a log."""
        return f"Secrets({len(self.vnode_passwords)} vnodes)"


def ensure_secrets(workdir: Workdir, *, vnodes: Iterable[str]) -> Secrets:
    """The lab's secrets, with those that are missing generated and saved."""
    found = _load(workdir)
    vnode_passwords = {
        name: found.vnode_passwords.get(name) or _password() for name in sorted(vnodes)
    }
    owners = ["focus", "jvb", *(f"focus/{name}" for name in vnode_passwords)]
    salts = {owner: found.salts.get(owner) or secrets.token_hex(16) for owner in owners}
    wanted = replace(found, vnode_passwords=vnode_passwords, salts=salts)
    write_json(workdir.secrets_file, asdict(wanted), mode=0o600)
    return wanted


def _load(workdir: Workdir) -> Secrets:
    try:
        return Secrets(**json.loads(workdir.secrets_file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Secrets(_password(), _password(), _password())
    except (ValueError, TypeError) as error:
        raise LabError(
            f"'{workdir.secrets_file}' is damaged: {error}.",
            hint="Remove the file; the next 'labctl up' makes new secrets and applies them.",
        ) from error


def _password() -> str:
    # Letters and digits only: ruby-hocon's `get` wraps others in quotes, and upstream's scripts
    # would then register the quotes as part of the password.
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
