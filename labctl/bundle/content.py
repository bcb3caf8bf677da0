"""The small files of a bundle: a lab with keys and secrets of its own, and how to start it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from labctl import __version__
from labctl.bundle.disk import writing
from labctl.bundle.model import (
    CA_FILE,
    KEY_FILE,
    KNOWN_HOSTS_FILE,
    SECRETS_FILE,
    SEEDS,
    TOPOLOGY_FILE,
    Bundle,
    BundleFile,
)
from labctl.core.state import save_state
from labctl.core.templates import make_environment
from labctl.core.waiting import Patience
from labctl.lab.prepare import render_lab
from labctl.node.keys import USER_KEY, ensure_keys
from labctl.providers.base import BundleParts, Files
from labctl.providers.table import provider_of
from labctl.providers.vm.archive import digest
from labctl.providers.vm.seed import make_seed
from labctl.topology.lab import Lab
from labctl.topology.migrate import TOPOLOGY
from labctl.topology.model import Topology
from labctl.topology.spec import Packages
from labctl.topology.workdir import Workdir
from provision.fresh import fresh_files
from provision.manifest import load_manifest

PATIENCE = Patience(4.0)
"""Nobody knows how fast the other machine is; it only matters for units that never come up."""

OPEN, SECRET = 0o644, 0o600


@dataclass(slots=True)
class Contents:
    """The folder that becomes a bundle, and the files that have been written to it, in order."""

    folder: Path
    files: dict[str, BundleFile] = field(default_factory=dict)

    def put(self, path: str, content: str | bytes, *, mode: int = OPEN) -> None:
        """Write a whole file.  Errors: LabError that names it."""
        data = content.encode() if isinstance(content, str) else content
        target = self.folder / path
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch(mode=SECRET)
            target.write_bytes(data)
            target.chmod(mode)
        self.files[path] = BundleFile(path, len(data), sha256(data).hexdigest(), mode == SECRET)

    def add(self, path: str, *, secret: bool = False) -> None:
        """Note a file that somebody else has written."""
        target = self.folder / path
        with writing(target):
            size, sum_ = target.stat().st_size, digest(target)
        self.files[path] = BundleFile(path, size, sum_, secret)


@contextmanager
def fresh_lab(topology: Topology) -> Iterator[Lab]:
    """The lab with keys, secrets and certificates that no other lab has, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="labctl-bundle-") as scratch:
        lab = Lab(Workdir(Path(scratch) / topology.lab), topology)
        render_lab(lab)
        ensure_keys(lab)
        yield lab


def put_lab(contents: Contents, lab: Lab) -> BundleParts:
    """Write topology, keys and seeds; returns what the provider has added."""
    parts, folder = provider_of(lab.topology.provider).bundle(lab), lab.folder
    # The packages are in the images; where they came from is a path of this machine.
    plain = replace(lab.topology, spec=replace(lab.topology.spec, packages=Packages()))
    save_state(folder.topology_file, TOPOLOGY, plain.to_json())
    contents.put(TOPOLOGY_FILE, folder.topology_file.read_bytes())
    contents.put(SECRETS_FILE, folder.secrets_file.read_bytes(), mode=SECRET)
    contents.put(CA_FILE, (folder.ca / "ca.crt").read_bytes())
    contents.put(KEY_FILE, (folder.ssh / USER_KEY).read_bytes(), mode=SECRET)
    contents.put(KNOWN_HOSTS_FILE, (folder.ssh / "known_hosts").read_bytes())
    for name, text in parts.files.items():
        contents.put(name, text)
    put = _put_volume if parts.volumes else _put_folder
    for node, identity in parts.identities.items():
        put(contents, node, {**identity, **_placing(lab, node)})
    return parts


def _placing(lab: Lab, node: str) -> Files:
    """What a node places, and the scripts that do it."""
    manifest = load_manifest(lab.folder.tree / node / "manifest.json", node=node)
    files = fresh_files(manifest, tree=lab.folder.tree, patience=PATIENCE)
    return {name: (text.encode(), SECRET) for name, text in files.items()}


def _put_folder(contents: Contents, node: str, files: Files) -> None:
    for name, (content, mode) in files.items():
        contents.put(f"{SEEDS}/{node}/{name}", content, mode=mode)


def _put_volume(contents: Contents, node: str, files: Files) -> None:
    path = f"{SEEDS}/{node}.iso"
    with tempfile.TemporaryDirectory(prefix="labctl-seed-") as scratch:
        volume = Path(scratch) / "seed.iso"
        make_seed(volume, files, scratch=Path(scratch))
        contents.put(path, volume.read_bytes(), mode=SECRET)


def put_texts(contents: Contents, bundle: Bundle, topology: Topology) -> None:
    """Write what people and Vagrant read."""
    values = {"bundle": bundle, "topology": topology, "provider": bundle.provider}
    for name in ("Vagrantfile", "README.md"):
        contents.put(name, render_text(name, version=__version__, **values))
    # A bundle in a git repository must not get other line ends.
    contents.put(".gitattributes", "* -text\n")


def render_text(name: str, **values: object) -> str:
    """A text of a bundle."""
    return make_environment().get_template(f"bundle/{name}.j2").render(**values)
