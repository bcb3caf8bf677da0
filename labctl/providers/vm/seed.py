"""Seeds: a small ISO 9660 volume that gives one virtual machine its ssh keys, name and network.

A container gets /etc/ssh/lab from outside; a virtual machine mounts it from its CD drive
(`packer/scripts/vm.sh`).  So images have no identity, and no key is trusted on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from labctl.core import process
from labctl.node.keys import HOST_KEY, USER_KEY, ensure_key

LABEL = "LABCTL"
ISO_HINT = "Install the package 'xorriso', or run 'labctl doctor'."


def make_seed(target: Path, files: Mapping[str, tuple[bytes, int]], *, scratch: Path) -> None:
    """Write the volume; `files` are contents and modes by name.  Root owns all of them.

    `scratch` is an empty folder that only this user can enter.
    """
    folder = scratch / "seed"
    # As on the machine, where users must be able to read their keys; `scratch` keeps others out.
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    for name, (content, mode) in files.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_bytes(content)
        path.chmod(mode)
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-V", LABEL, "-uid", "0", "-gid", "0"]
    process.run([*command, "-o", target, folder], hint=ISO_HINT, timeout=60)
    target.chmod(0o600)


def identity(folder: Path, *, name: str) -> dict[str, tuple[bytes, int]]:
    """The files of every seed: keys of a node's folder (`labctl.node.keys`), and its host name."""
    return {
        HOST_KEY: ((folder / HOST_KEY).read_bytes(), 0o600),
        # sshd reads it as the user that logs in.
        "authorized_keys": ((folder / "authorized_keys").read_bytes(), 0o644),
        "hostname": (f"{name}\n".encode(), 0o644),
    }


def contents_mark(files: Mapping[str, tuple[bytes, int]]) -> str:
    """A short name for a seed's content; if it changes, the machine is made again."""
    return sha256(repr(sorted(files.items())).encode()).hexdigest()[:12]


def make_throwaway(scratch: Path, *, name: str) -> tuple[Path, Path, str]:
    """Make a seed for one bake or boot: the volume, the user's private key, the host's public line.

    Everything is in `scratch`, a folder that only this user can enter.
    """
    keys = scratch / "keys"
    keys.mkdir(mode=0o700)
    host = ensure_key(keys / HOST_KEY, comment=name)
    (keys / "authorized_keys").write_text(ensure_key(keys / USER_KEY, comment="labctl"))
    make_seed(scratch / "seed.iso", identity(keys, name=name), scratch=scratch)
    return scratch / "seed.iso", keys / USER_KEY, host
