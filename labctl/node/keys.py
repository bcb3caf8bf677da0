"""The lab's ssh identities: its user key pair and one host key per node, made by labctl.

labctl makes the host keys itself, so they are known before a node first answers and no key is
ever trusted on first use.  A node sees only its own folder, at /etc/ssh/lab.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from labctl.core.errors import LabError
from labctl.core.files import remove_entry, write_file, write_if_changed
from labctl.topology.lab import Lab

HOST_KEY = "host_ed25519"
USER_KEY = "id_ed25519"


def ensure_keys(lab: Lab) -> None:
    """Make missing keys, keep existing ones, and remove the folders of nodes that have gone.

    Errors: LabError if an existing key cannot be read.
    """
    lab.folder.ssh.mkdir(parents=True, exist_ok=True)
    lab.folder.ssh.chmod(0o700)
    user_public = ensure_key(lab.folder.ssh / USER_KEY, comment=f"labctl {lab.topology.lab}")
    known = []
    for node in lab.topology.nodes:
        folder = lab.folder.ssh / "nodes" / node.name
        folder.mkdir(parents=True, exist_ok=True)
        # sshd reads authorized_keys as the user who logs in, not as root.
        folder.chmod(0o755)
        host_public = ensure_key(folder / HOST_KEY, comment=node.name)
        write_if_changed(folder / "authorized_keys", user_public)
        known.append(f"{node.name},{node.address} {_without_comment(host_public)}\n")
    write_if_changed(lab.folder.ssh / "known_hosts", "".join(known))
    _remove_strangers(lab.folder.ssh / "nodes", keep={node.name for node in lab.topology.nodes})


def ensure_key(path: Path, *, comment: str) -> str:
    """The public line of the ed25519 key at `path`, which is made (0600) if it is missing."""
    try:
        private = load_ssh_private_key(path.read_bytes(), password=None)
    except FileNotFoundError:
        private = Ed25519PrivateKey.generate()
        text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        write_file(path, text.decode("ascii"), mode=0o600)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise LabError(
            f"The ssh key '{path}' cannot be read: {why}.",
            hint="Remove it and run 'labctl up' again; running nodes are then made again.",
        ) from error
    body = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    line = f"{body.decode('ascii')} {comment}\n"
    write_if_changed(path.with_name(f"{path.name}.pub"), line)
    return line


def _without_comment(line: str) -> str:
    return " ".join(line.split()[:2])


def _remove_strangers(folder: Path, *, keep: set[str]) -> None:
    for entry in folder.iterdir():
        if entry.name not in keep:
            remove_entry(entry)
