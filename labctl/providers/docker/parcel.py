"""What another machine must have before it can run a lab's nodes: their images and their files."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from labctl.core.process import run
from labctl.core.progress import Progress, silent
from labctl.images.rootfs import SCRATCH
from labctl.providers.docker.command import (
    NODE_LABEL,
    docker,
    environ_of,
    lab_filters,
    lab_labels,
    label_words,
)
from labctl.providers.docker.machines import by_host, on_all
from labctl.topology.hosts import HERE, host_name
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.topology.workdir import Workdir

FILES_LABEL = "labctl.files"
"""On a node's volume: the digest of what belongs into it."""

SEND_SECONDS = 1800.0
ASK_SECONDS = 60.0
KEYS = "/etc/ssh/lab"
RESOLV = "resolv.conf"


def send_images(nodes: Sequence[Node]) -> dict[str, list[str]]:
    """Send machines the images of their nodes that they do not have; returns which, by machine."""
    placed = {host: {node.image for node in found} for host, found in by_host(nodes).items()}
    placed.pop(HERE, None)
    return send_to(placed)


def send_to(
    placed: Mapping[str, Collection[str]], *, progress: Progress = silent
) -> dict[str, list[str]]:
    """Send other machines the images that they do not have; returns which, by machine.

    Images are compared by the digests of their layers, which no engine stores in another way.
    """
    if not placed:
        return {}
    wanted = read_digests(HERE, {image for images in placed.values() for image in images})
    found = on_all(tuple(placed), lambda host: read_digests(host, placed[host]))
    missing = {
        host: sorted(image for image in images if found[host].get(image) != wanted[image])
        for host, images in placed.items()
    }
    sent = {host: images for host, images in missing.items() if images}
    for images in sorted(set(map(tuple, sent.values()))):
        to = [host for host, mine in sent.items() if tuple(mine) == images]
        names = ", ".join(f"'{host_name(host)}'" for host in to)
        progress("images", f"sending {', '.join(images)} to {names}")
        _send(images, to=to)
    return sent


def read_digests(host: str, images: Collection[str]) -> dict[str, str]:
    """What identifies the images that a machine has, by reference."""
    words = ["docker", "image", "inspect", *sorted(images)]
    said = run(words, env=environ_of(host), check=False, timeout=ASK_SECONDS)
    return parse_digests(said.output)


def parse_digests(text: str) -> dict[str, str]:
    """A digest by reference, from `docker image inspect`, which prints the images that exist."""
    found: dict[str, str] = {}
    for entry in json.loads(text or "[]"):
        labels = (entry.get("Config") or {}).get("Labels") or {}
        content = json.dumps([entry["RootFS"]["Layers"], labels], sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()
        found |= dict.fromkeys(entry["RepoTags"] or (), digest)
    return found


def _send(images: Sequence[str], *, to: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="labctl-send-", dir=SCRATCH) as scratch:
        saved = str(Path(scratch) / "images.tar")
        docker("image", "save", "--output", saved, *images, timeout=SEND_SECONDS)
        on_all(to, partial(_load, saved))


def _load(saved: str, host: str) -> str:
    return docker("image", "load", "--input", saved, at=host, timeout=SEND_SECONDS)


def volume_name(lab: str, node: str) -> str:
    """The volume of a node on another machine, which has what is mounted from here otherwise."""
    return f"labctl-{lab}-{node}"


def digest_of(files: Mapping[str, bytes]) -> str:
    """A digest of names and contents."""
    whole = hashlib.sha256()
    for name, content in sorted(files.items()):
        whole.update(f"{name}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()


def files_of(lab: Lab, node: Node) -> dict[str, bytes]:
    """What a node on another machine is given: its keys, and resolv.conf."""
    files = {path.name: path.read_bytes() for path in sorted(_folder(lab, node).iterdir())}
    return files | {RESOLV: (lab.folder.path / RESOLV).read_bytes()}


def read_volumes(workdir: Workdir, host: str) -> dict[str, str]:
    """The digest on each of the lab's volumes of a machine, by node."""
    form = f'{{{{.Label "{NODE_LABEL}"}}}}\t{{{{.Label "{FILES_LABEL}"}}}}'
    text = docker("volume", "ls", *lab_filters(workdir), "--format", form, at=host)
    pairs = (line.partition("\t") for line in text.splitlines())
    return {node: digest for node, _, digest in pairs}


def send_files(lab: Lab, node: Node) -> None:
    """Make a node's volume on its machine anew; the node has no container there.

    A container that is never started takes the files, as root's, over the engine's own interface.
    """
    name, at = volume_name(lab.folder.lab, node.name), node.host
    words = label_words({**lab_labels(lab.folder), NODE_LABEL: node.name})
    taker = f"{name}_files"
    docker("rm", "--force", taker, check=False, at=at)
    docker("volume", "rm", "--force", name, at=at)
    mark = ("--label", f"{FILES_LABEL}={digest_of(files_of(lab, node))}")
    docker("volume", "create", *words, *mark, name, at=at)
    mount = f"type=volume,source={name},target={KEYS}"
    # Without the label of nodes, it is none; with the others, it is found if it is left.
    docker("create", "--name", taker, *words[:4], "--pull", "never", "--mount", mount, node.image,
           at=at)  # fmt: skip
    try:
        docker("cp", f"{_folder(lab, node)}/.", f"{taker}:{KEYS}", at=at)
        docker("cp", str(lab.folder.path / RESOLV), f"{taker}:{KEYS}/{RESOLV}", at=at)
    finally:
        docker("rm", "--force", taker, check=False, at=at)


def remove_volumes(workdir: Workdir, host: str) -> None:
    """Remove the lab's volumes of a machine."""
    names = docker("volume", "ls", "--quiet", *lab_filters(workdir), at=host).split()
    if names:
        docker("volume", "rm", "--force", *names, at=host)


def read_mounts(lab: Lab, node: Node) -> list[str]:
    """The values of `--mount` with which a node on another machine finds its files."""
    name = volume_name(lab.folder.lab, node.name)
    point = docker("volume", "inspect", "--format", "{{.Mountpoint}}", name, at=node.host).strip()
    return [
        f"type=volume,source={name},target={KEYS},readonly",
        f"type=bind,source={point}/{RESOLV},target=/etc/resolv.conf,readonly",
    ]


def _folder(lab: Lab, node: Node) -> Path:
    return lab.folder.ssh / "nodes" / node.name
