"""Which lab has which host-only interface; VirtualBox itself cannot record that.

Interfaces belong to the machine and labs to folders, so the list is in labctl's own state folder,
with a lock for labs that start at the same time.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from labctl.core.plain import from_plain, to_plain
from labctl.core.state import Flaw, StateError, StateKind, load_state, save_state
from labctl.topology.workdir import Workdir, state_dir


@dataclass(frozen=True, slots=True)
class Claim:
    """A lab's claim to an interface: the lab's folder, its network, and whether labctl made it."""

    workdir: str
    network: str
    made: bool

    @property
    def stands(self) -> bool:
        """Whether the lab still exists; one whose folder was removed by hand owns nothing."""
        return Path(self.workdir).is_dir()


@dataclass(frozen=True, slots=True)
class Claims:
    """The content of the file: claims by interface."""

    claims: Mapping[str, Claim]


ANEW = (
    "Remove the file when no lab runs on VirtualBox. Interfaces that labctl made then stay:"
    " 'VBoxManage list hostonlyifs' shows them, 'VBoxManage hostonlyif remove NAME' removes one."
)
CLAIMS: StateKind[Claims] = StateKind(
    format=2,
    parse=partial(from_plain, Claims),
    remedy=ANEW,
    outgrown=f"Use the labctl that wrote it.  Or: {ANEW[0].lower()}{ANEW[1:]}",
    # Format 1 had the claims at the top level.
    migrations={1: lambda data: {"claims": {k: it for k, it in data.items() if k != "format"}}},
)


def claims_file() -> Path:
    return state_dir() / "virtualbox-networks.json"


def load_claims() -> dict[str, Claim]:
    """All claims by interface; empty if there are none yet, or the file is damaged.

    Labs then claim their interfaces again when they start; doctor names the file.  Errors:
    StateError for a file of a newer labctl, or if the path is not a file.
    """
    try:
        return dict(read_claims())
    except StateError as error:
        if error.flaw is Flaw.DAMAGED:
            return {}
        raise


def read_claims() -> Mapping[str, Claim]:
    """All claims by interface.  Errors: StateError, also if the file is damaged."""
    path = claims_file()
    return load_state(path, CLAIMS).claims if path.exists() else {}


def save_claims(claims: Mapping[str, Claim]) -> None:
    """Write all claims."""
    save_state(claims_file(), CLAIMS, to_plain(Claims(dict(sorted(claims.items())))))


def claims_of(workdir: Workdir) -> dict[str, Claim]:
    """The claims of one lab: one, or more for a moment while its network changes."""
    here = str(workdir.path.resolve())
    return {name: claim for name, claim in load_claims().items() if claim.workdir == here}


@contextmanager
def held() -> Iterator[None]:
    """Lock the list, and with it VirtualBox's interfaces, for this process."""
    path = claims_file().with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
