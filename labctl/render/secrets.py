"""A lab's secrets: generated once, kept 0600, never in argv, logs, images or reports."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import StateKind, load_state, save_state
from labctl.topology.workdir import Workdir

HOST_USER = "host"
"""The account that begins conferences where `auth` is `internal`."""
APP_ID = "labctl"
"""Who issues tokens, and whom they are for, where `auth` is `jwt`."""

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Secrets:
    """Passwords of the accounts, and the salts of their stored forms.

    `salts` maps `focus`, `jvb`, `host` and `focus/vN` to 32 hexadecimal digits.  Salts are kept so
    that the stored form of an account is the same text in every run.  `host_password` is for the
    account that begins conferences where `auth` is `internal`, and `app_secret` signs tokens where
    it is `jwt`; labs that were made before these existed get them at their next `up`.
    """

    focus_password: str
    jvb_password: str
    turn_secret: str
    vnode_passwords: dict[str, str] = field(default_factory=dict)
    salts: dict[str, str] = field(default_factory=dict)
    host_password: str = ""
    app_secret: str = ""

    def __repr__(self) -> str:
        """Without the secrets, because this may appear in a log."""
        return f"Secrets({len(self.vnode_passwords)} vnodes)"


ANEW = "Remove the file; the next 'labctl up' makes new secrets and uses them."
SECRETS: StateKind[Secrets] = StateKind(
    format=1, parse=partial(from_plain, Secrets), remedy=ANEW, outgrown=ANEW
)


def ensure_secrets(workdir: Workdir, *, vnodes: Iterable[str]) -> Secrets:
    """The lab's secrets; missing ones are generated and saved."""
    found = _load_or_make(workdir)
    vnode_passwords = {
        name: found.vnode_passwords.get(name) or _password() for name in sorted(vnodes)
    }
    owners = ["focus", "jvb", "host", *(f"focus/{name}" for name in vnode_passwords)]
    salts = {owner: found.salts.get(owner) or secrets.token_hex(16) for owner in owners}
    wanted = replace(
        found,
        vnode_passwords=vnode_passwords,
        salts=salts,
        host_password=found.host_password or _password(),
        app_secret=found.app_secret or _password(),
    )
    save_state(workdir.secrets_file, SECRETS, to_plain(wanted), mode=0o600)
    return wanted


def load_secrets(workdir: Workdir) -> Secrets:
    """The lab's secrets as they were saved.  Errors: StateError."""
    return load_state(workdir.secrets_file, SECRETS)


def _load_or_make(workdir: Workdir) -> Secrets:
    if workdir.secrets_file.exists():
        return load_secrets(workdir)
    return Secrets(_password(), _password(), _password())


def _password() -> str:
    # Letters and digits only: ruby-hocon's `get` puts quotes around other text, and upstream's
    # scripts would then register the quotes as part of the password.
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
