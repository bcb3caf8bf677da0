"""A lab's secrets: generated once, kept 0600, never in argv, logs, images or reports."""

from __future__ import annotations

import secrets
import string
import time
import uuid
from collections.abc import Collection, Iterable, Mapping
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
    it is `jwt`; labs that were made before these existed get them at their next `up`.  `made` is
    when each secret was made (Unix seconds), by name.  `retired` are the values that a rotation has
    replaced, until they are known to be on no node any more.
    """

    focus_password: str
    jvb_password: str
    turn_secret: str
    vnode_passwords: dict[str, str] = field(default_factory=dict)
    salts: dict[str, str] = field(default_factory=dict)
    host_password: str = ""
    app_secret: str = ""
    made: dict[str, int] = field(default_factory=dict)
    retired: dict[str, str] = field(default_factory=dict)

    @property
    def values(self) -> Mapping[str, str]:
        """The secrets by the names under which people know them."""
        return {
            "focus": self.focus_password,
            "jvb": self.jvb_password,
            "turn": self.turn_secret,
            "host": self.host_password,
            "app": self.app_secret,
            **{f"focus/{vnode}": text for vnode, text in self.vnode_passwords.items()},
        }

    def marks(self, name: str) -> tuple[str, ...]:
        """What a file has in it that holds the secret `name`: itself, or its stored form's salt."""
        salt = self.salts.get(name)
        return (self.values[name], *([str(uuid.UUID(hex=salt))] if salt else []))

    def rotated(self, names: Collection[str], *, now: int) -> Secrets:
        """The same with new values for `names`; what they replace is retired.

        A secret whose last rotation has not ended is new already, and stays.
        """
        fresh = {name: _password() for name in names if name not in self.retired}
        values = {**self.values, **fresh}
        return replace(
            self,
            focus_password=values["focus"],
            jvb_password=values["jvb"],
            turn_secret=values["turn"],
            host_password=values["host"],
            app_secret=values["app"],
            vnode_passwords={vnode: values[f"focus/{vnode}"] for vnode in self.vnode_passwords},
            salts={
                owner: secrets.token_hex(16) if owner in fresh else salt
                for owner, salt in self.salts.items()
            },
            made={**self.made, **dict.fromkeys(fresh, now)},
            retired={**self.retired, **{name: self.values[name] for name in fresh}},
        )

    def __repr__(self) -> str:
        """Without the secrets, because this may appear in a log."""
        return f"Secrets({len(self.vnode_passwords)} vnodes)"


ANEW = "Remove the file; the next 'labctl up' makes new secrets and uses them."
SECRETS: StateKind[Secrets] = StateKind(
    format=1, parse=partial(from_plain, Secrets), remedy=ANEW, outgrown=ANEW
)
# Older labctls ignore `made` and `retired`, so the format stays.


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
    # When those of an older labctl were made is not known; their file is at least that old.
    since = int(workdir.secrets_file.stat().st_mtime if workdir.secrets_file.exists() else now())
    old = found.values
    known = {
        name: found.made.get(name) or (since if old.get(name) == value else now())
        for name, value in wanted.values.items()
    }
    wanted = replace(wanted, made=known)
    save_secrets(workdir, wanted)
    return wanted


def save_secrets(workdir: Workdir, wanted: Secrets) -> None:
    """Write secrets.json, which only this user may read; it is on the disk when this returns."""
    save_state(workdir.secrets_file, SECRETS, to_plain(wanted), mode=0o600)


def now() -> int:
    """The time of `made`: Unix seconds."""
    return int(time.time())


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
