"""Which lab has which host-only interface: VirtualBox has no place to write that down.

Host-only interfaces belong to the machine, labs to folders, so the list lies in labctl's own
state directory, with a lock for labs that come up at the same time.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from labctl.workdir import Workdir, state_dir, write_json


@dataclass(frozen=True, slots=True)
class Claim:
    """A lab's word on an interface: the lab's folder, its network, whether labctl made it."""

    workdir: str
    network: str
    made: bool

    @property
    def stands(self) -> bool:
        """Whether the lab is still there; one whose folder was removed by hand owns nothing."""
        return Path(self.workdir).is_dir()


def claims_file() -> Path:
    return state_dir() / "virtualbox-networks.json"


def load_claims() -> dict[str, Claim]:
    """All claims by interface; empty where the file is missing or damaged."""
    try:
        data = json.loads(claims_file().read_text(encoding="utf-8"))
        return {name: Claim(**entry) for name, entry in data.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def save_claims(claims: Mapping[str, Claim]) -> None:
    """Write all claims."""
    write_json(claims_file(), {name: asdict(claim) for name, claim in sorted(claims.items())})


def claims_of(workdir: Workdir) -> dict[str, Claim]:
    """The claims of one lab: one, or for a moment more while its network changes."""
    here = str(workdir.path.resolve())
    return {name: claim for name, claim in load_claims().items() if claim.workdir == here}


@contextmanager
def held() -> Iterator[None]:
    """Hold the list, and with it VirtualBox's interfaces, for this process."""
    path = claims_file().with_suffix(".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
