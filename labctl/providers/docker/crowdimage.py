"""The image for parts of a crowd on other machines: Debian's Python, and the crowd's own modules.

No node is started from it.  It is named by its content as the others are, `labctl images` lists it,
and it is sent to machines as the nodes' images are.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from labctl.core.progress import Progress
from labctl.images import debian
from labctl.images import rootfs as tree
from labctl.images.bakework import explained, fresh_log, scratch_folder
from labctl.images.debs import host_architecture
from labctl.images.make import CACHE, only_maker
from labctl.images.plan import RECIPES
from labctl.providers.docker.baking import DISK_HINT, check_disk
from labctl.providers.docker.base import import_tree
from labctl.providers.docker.images import DOCKER_IMAGES, HASH_LABEL, ROLE_LABEL
from labctl.topology.places import CODE

NAME = "crowd"
"""What its name and its label say instead of a role."""

FORMAT = 1
"""Raise it whenever code changes the content of the image."""

PACKAGES = ("python3", "python3-uvloop")
MODULES = ("core", "crowd", "topology")
"""What `labctl.crowd.share` imports of labctl, for participants without media."""

FOLDER = "usr/lib/python3/dist-packages"
"""Where Debian's packages have their modules: Python finds them without being told."""

NEEDED_BYTES = 700_000_000
"""The most disk space that making it needs, rounded up: the tree, its tar, and the image."""


def ensure_crowd_image(release: str, *, progress: Progress, cache: Path = CACHE) -> str:
    """Make the image if it is missing, with a Debian release such as '13'; returns its name.

    Errors: LabError with the path of the log.
    """
    code = read_code()
    suite = debian.load_release(release).suite
    reference = crowd_reference(release, suite=suite, code=code)
    if reference in DOCKER_IMAGES.local():
        return reference
    DOCKER_IMAGES.ensure_tools(progress)
    with only_maker(DOCKER_IMAGES.kind, progress=progress):
        if reference not in DOCKER_IMAGES.local():
            log = cache / "logs" / f"build-{NAME}.log"
            _make(reference, release, code, log=log, progress=progress)
    return reference


def crowd_reference(release: str, *, suite: str, code: Mapping[str, bytes]) -> str:
    """The image's name; equal names mean equal content."""
    texts = {name: hashlib.sha256(content).hexdigest() for name, content in code.items()}
    whole = [FORMAT, host_architecture(), suite, PACKAGES, texts]
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:12]
    pattern = RECIPES[DOCKER_IMAGES.kind].reference
    return pattern.format(name=NAME, release=release, hash=digest)


def read_code(root: Path = CODE) -> dict[str, bytes]:
    """The modules that the image has, by their paths below `root`."""
    folder = root / "labctl"
    files = [folder / "__init__.py"]
    for name in MODULES:
        files += sorted((folder / name).rglob("*.py"))
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def _make(
    reference: str, release: str, code: Mapping[str, bytes], *, log: Path, progress: Progress
) -> None:
    """Import the image; it gets its name last, so that it is complete or does not exist."""
    check_disk(log.parent.parent, needed=NEEDED_BYTES)
    mirror = debian.load_mirror()
    progress("images", f"making Debian's Python for the crowd from '{mirror.main}'", node=NAME)
    job = tree.RootfsJob(mirror, debian.load_release(release), packages=PACKAGES, scripts=())
    labels = {ROLE_LABEL: NAME, HASH_LABEL: reference.rpartition(":")[2]}
    fresh_log(log)
    with explained(log, hint=DISK_HINT), scratch_folder(tree.SCRATCH) as scratch:
        made = tree.make_rootfs(job, scratch=scratch, log=log)
        add_code(made, code)
        import_tree(made, reference, labels=labels, log=log)
    progress("images", f"made '{reference}'", node=NAME)


def add_code(archive: Path, code: Mapping[str, bytes]) -> None:
    """Add modules to the tar of a Debian tree, as root's files with the time of all others."""
    folders = {str(above) for name in code for above in Path(name).parents} - {"."}
    with tarfile.open(archive, "a") as file:
        for name in sorted(folders):
            entry = _entry(name, mode=0o755)
            entry.type = tarfile.DIRTYPE
            file.addfile(entry)
        for name, content in code.items():
            entry = _entry(name, mode=0o644)
            entry.size = len(content)
            file.addfile(entry, BytesIO(content))


def _entry(name: str, *, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(f"./{FOLDER}/{name}")
    entry.mode, entry.mtime = mode, int(tree.EPOCH)
    return entry
