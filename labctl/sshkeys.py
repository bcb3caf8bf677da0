"""The lab's ssh identities: its user key pair and one host key per node, made by labctl.

labctl makes the host keys itself, so they are known before a node first answers and nothing
ever trusts on first use.  A node sees its own folder at /etc/ssh/lab and nothing else.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from labctl.errors import LabError
from labctl.model import Topology
from labctl.workdir import Workdir, write_file

HOST_KEY = "host_ed25519"
USER_KEY = "id_ed25519"


def ensure_keys(workdir: Workdir, topology: Topology) -> None:
    """Make what is missing, keep what is there, remove the folders of nodes that are gone.

    Errors: LabError when a key that is there cannot be read.
    """
    workdir.ssh.mkdir(parents=True, exist_ok=True)
    workdir.ssh.chmod(0o700)
    user_public = ensure_key(workdir.ssh / USER_KEY, comment=f"labctl {topology.lab}")
    known = []
    for node in topology.nodes:
        folder = workdir.ssh / "nodes" / node.name
        folder.mkdir(parents=True, exist_ok=True)
        # sshd reads authorized_keys as the user who logs in, not as root.
        folder.chmod(0o755)
        host_public = ensure_key(folder / HOST_KEY, comment=node.name)
        _write_if_changed(folder / "authorized_keys", user_public)
        known.append(f"{node.name},{node.address} {_without_comment(host_public)}\n")
    _write_if_changed(workdir.ssh / "known_hosts", "".join(known))
    _remove_strangers(workdir.ssh / "nodes", keep={node.name for node in topology.nodes})


def ensure_key(path: Path, *, comment: str) -> str:
    """The public line of the ed25519 key at `path`, which is made (0600) where it is missing."""
    try:
        private = load_ssh_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        private = Ed25519PrivateKey.generate()
        text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        write_file(path, text.decode("ascii"), mode=0o600)
    except ValueError as error:
        raise LabError(
            f"The ssh key '{path}' cannot be read: {error}.",
            hint="Remove it and run 'labctl up' again; running nodes then get made anew.",
        ) from error
    body = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    line = f"{body.decode('ascii')} {comment}\n"
    _write_if_changed(path.with_name(f"{path.name}.pub"), line)
    return line


def _without_comment(line: str) -> str:
    return " ".join(line.split()[:2])


def _write_if_changed(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_file(path, text)


def _remove_strangers(folder: Path, *, keep: set[str]) -> None:
    for entry in folder.iterdir():
        if entry.name not in keep:
            shutil.rmtree(entry)
