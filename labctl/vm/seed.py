"""Seeds: a small ISO 9660 volume that gives one virtual machine its ssh keys, name and network.

What a container gets at /etc/ssh/lab from outside, a machine mounts there from its CD drive
(`packer/scripts/vm.sh`), so that images have no identity and no key is trusted on first use.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from labctl import process
from labctl.sshkeys import HOST_KEY, USER_KEY, ensure_key

LABEL = "LABCTL"
ISO_HINT = "Install the package 'xorriso', or run 'labctl doctor'."


def make_seed(target: Path, files: Mapping[str, tuple[bytes, int]], *, scratch: Path) -> None:
    """Write the volume; `files` are contents and modes by name.  All belong to root.

    `scratch` is an empty folder that only this user can enter.
    """
    folder = scratch / "seed"
    # As it will be on the machine, where users must get at their keys; `scratch` keeps others out.
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
    """The files of every seed: keys of a node's folder (`labctl.sshkeys`), and its host name."""
    return {
        HOST_KEY: ((folder / HOST_KEY).read_bytes(), 0o600),
        # sshd reads it as the user who logs in.
        "authorized_keys": ((folder / "authorized_keys").read_bytes(), 0o644),
        "hostname": (f"{name}\n".encode(), 0o644),
    }


def contents_mark(files: Mapping[str, tuple[bytes, int]]) -> str:
    """A short name for what a seed holds: another one is another machine."""
    return sha256(repr(sorted(files.items())).encode()).hexdigest()[:12]


def make_throwaway(scratch: Path, *, name: str) -> tuple[Path, Path, str]:
    """A seed for one bake or one boot: the volume, the user's private key, the host's public line.

    `scratch` is a folder that only this user can enter; it holds all of it.
    """
    keys = scratch / "keys"
    keys.mkdir(mode=0o700)
    host = ensure_key(keys / HOST_KEY, comment=name)
    (keys / "authorized_keys").write_text(ensure_key(keys / USER_KEY, comment="labctl"))
    make_seed(scratch / "seed.iso", identity(keys, name=name), scratch=scratch)
    return scratch / "seed.iso", keys / USER_KEY, host
