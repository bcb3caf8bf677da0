"""Which secrets a lab has, how old they are, and which files of which nodes they are in."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path

from labctl.core.errors import UsageError
from labctl.node.keys import HOST_KEY, USER_KEY
from labctl.render.secrets import Secrets
from labctl.render.tree import rendered_paths
from labctl.topology.lab import Lab
from labctl.topology.roles import BRIDGE, JICOFO, PROSODY
from labctl.topology.spec import Auth
from provision.manifest import load_manifest


class SecretKind(StrEnum):
    """What a secret is."""

    PASSWORD = "password"
    SHARED = "shared secret"
    KEY = "private key"


@dataclass(frozen=True, slots=True)
class SecretUse:
    """Where a secret is used: a file of a node, and the units that read it again."""

    node: str
    path: str
    units: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecretFacts:
    """A secret without its value; `made` are Unix seconds, `age` seconds.

    `rotates` says whether `labctl secrets rotate` replaces it, and `why_not` what else does.
    """

    name: str
    kind: SecretKind
    what: str
    made: int
    age: int
    uses: tuple[SecretUse, ...]
    rotates: bool = True
    why_not: str = ""


_WHAT: Mapping[str, tuple[SecretKind, str]] = {
    "focus": (SecretKind.PASSWORD, f"Jicofo's account on the main Prosody ({JICOFO.stem})"),
    "jvb": (SecretKind.PASSWORD, f"the account of all bridges ({BRIDGE.stem})"),
    "turn": (SecretKind.SHARED, f"signs credentials for TURN ({PROSODY.stem} and coturn)"),
    "host": (SecretKind.PASSWORD, f"the account that begins conferences (auth = {Auth.INTERNAL})"),
    "app": (SecretKind.SHARED, f"signs tokens (auth = {Auth.JWT})"),
}
_CA_WHY = (
    "browsers and nodes that trust it would have to be told first; remove the folder 'ca' of the"
    " lab and run 'labctl up' for a new one"
)
_CERTIFICATE_WHY = (
    "'labctl up' renews it 30 days before its end; remove its files in the folder 'ca' of the lab"
    " and run 'labctl up' to have that earlier"
)
_SSH_WHY = (
    "it is how labctl itself reaches the nodes, and a machine gets it when it is made: 'labctl"
    " destroy' and 'labctl up' make a new one"
)


def secret_names(secrets: Secrets, names: Sequence[str]) -> tuple[str, ...]:
    """The secrets that are meant: all, or those named.  Errors: UsageError for an unknown one."""
    known = tuple(secrets.values)
    for name in names:
        if name not in known:
            hint = f"Known: {', '.join(known)}.  'labctl secrets list' says more about them."
            raise UsageError(f"There is no secret '{name}' that can be replaced.", hint=hint)
    return tuple(name for name in known if name in names or not names)


def list_secrets(lab: Lab, secrets: Secrets) -> tuple[SecretFacts, ...]:
    """Everything secret in a lab; passwords first, then keys.  Errors: NodeProblem."""
    found = uses_of(lab, secrets)
    return (
        *(_facts(name, made, found[name]) for name, made in secrets.made.items()),
        *_keys(lab),
    )


def uses_of(lab: Lab, secrets: Secrets) -> dict[str, tuple[SecretUse, ...]]:
    """The files of the nodes that hold each secret, as they were rendered last."""
    uses: dict[str, list[SecretUse]] = {name: [] for name in secrets.values}
    marks = {name: secrets.marks(name) for name in uses}
    for node in lab.topology.nodes:
        top = lab.folder.tree / node.name
        if not (top / "manifest.json").exists():
            continue
        units = load_manifest(top / "manifest.json", node=node.name).units
        for path in rendered_paths(lab.folder, node.name):
            text = (top / "files" / path.lstrip("/")).read_text(encoding="utf-8")
            readers = tuple(
                unit.name for unit in units if any(fnmatchcase(path, it) for it in unit.when)
            )
            for name in uses:
                if any(mark in text for mark in marks[name]):
                    uses[name].append(SecretUse(node.name, path, readers))
    return {name: tuple(each) for name, each in uses.items()}


def _facts(name: str, made: int, uses: Collection[SecretUse]) -> SecretFacts:
    vnode = name.partition("/")[2]
    kind, what = _WHAT.get(
        name, (SecretKind.PASSWORD, f"Jicofo's account on the visitor Prosody {vnode}")
    )
    return SecretFacts(name, kind, what, made, _age(made), tuple(uses))


def _keys(lab: Lab) -> Iterator[SecretFacts]:
    """Private keys: they are listed, and something else renews them."""
    folder = lab.folder
    for path in sorted(folder.ca.glob("*.key")):
        is_ca = path.stem == "ca"
        what = "signs the lab's certificates" if is_ca else f"the certificate of '{path.stem}'"
        yield _key(f"ca/{path.name}", path, what, _CA_WHY if is_ca else _CERTIFICATE_WHY)
    if (folder.ssh / USER_KEY).exists():
        yield _key(f"ssh/{USER_KEY}", folder.ssh / USER_KEY, "opens every node by ssh", _SSH_WHY)
    for path in sorted(folder.ssh.glob(f"nodes/*/{HOST_KEY}")):
        name = path.parent.name
        yield _key(
            f"ssh/nodes/{name}", path, f"node '{name}' shows by it that it is itself", _SSH_WHY
        )


def _key(name: str, path: Path, what: str, why_not: str) -> SecretFacts:
    made = int(path.stat().st_mtime)
    return SecretFacts(name, SecretKind.KEY, what, made, _age(made), (), False, why_not)


def _age(made: int) -> int:
    # A clock may have been set back.
    return max(0, int(time.time()) - made)
