"""The Docker engine as a store of images: container images of labctl, known by their labels."""

from __future__ import annotations

import gzip
import hashlib
import json
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.host.install import ensure_host
from labctl.images.contents import STATUS, DebPackage, parse_status
from labctl.images.packages import PackageSet
from labctl.images.plan import (
    ImageKind,
    ImagePlan,
    Installed,
    packages_to_json,
    parse_label,
    plan_images,
)
from labctl.images.rootfs import SCRATCH
from labctl.images.store import Archive, Image
from labctl.providers.docker.bake import KEPT_PREFIX
from labctl.providers.docker.baking import DOCKER_HINT, make_images
from labctl.providers.docker.engine import ensure_engine
from labctl.providers.docker.needs import DOCKER
from labctl.topology.spec import Role

HASH_LABEL, ROLE_LABEL, PACKAGES_LABEL = "labctl.hash", "labctl.role", "labctl.packages"
SAVE_SECONDS = 600.0
ASK_SECONDS = 30.0


class DockerImages:
    """The engine's images; see `labctl.images.store.ImageStore` for the methods."""

    @property
    def kind(self) -> ImageKind:
        return ImageKind.CONTAINER

    def folder(self) -> Path:
        return Path(_docker("info", "--format", "{{.DockerRootDir}}").strip())

    def ensure_tools(self, progress: Progress) -> None:
        ensure_host(DOCKER, progress=progress)
        ensure_engine(progress)

    def local(self) -> frozenset[str]:
        return frozenset(_docker("images", *OURS, "--format", "{{.Repository}}:{{.Tag}}").split())

    def plan(
        self, roles: Iterable[Role], packages: PackageSet, *, architecture: str, release: str
    ) -> ImagePlan:
        return plan_images(self.kind, roles, packages, architecture=architecture, release=release)

    def make(
        self,
        plan: ImagePlan,
        missing: Sequence[Role],
        *,
        remake_base: bool,
        force: bool,
        cache: Path,
        logs: Path,
        progress: Progress,
        jobs: int,
    ) -> None:
        make_images(
            plan,
            missing,
            remake_base=remake_base,
            cache=cache,
            logs=logs,
            progress=progress,
            jobs=jobs,
        )

    def packages(self, reference: str) -> dict[str, Installed]:
        return parse_label(_labels(_inspect(reference)).get(PACKAGES_LABEL, ""))

    def list(self) -> Sequence[Image]:
        ids = sorted(set(_docker("images", "--quiet", "--no-trunc", *OURS).split()))
        if not ids:
            return ()
        users: dict[str, list[str]] = {}
        for line in _docker("ps", "--all", "--format", "{{.Names}}\t{{.Image}}").splitlines():
            name, _, reference = line.partition("\t")
            users.setdefault(reference, []).append(f"container {name}")
        return parse_images(json.loads(_docker("image", "inspect", *ids)), users=users)

    def remove(self, images: Iterable[Image]) -> Sequence[Image]:
        removed = []
        for image in images:
            command = ["docker", "image", "rm", image.reference]
            if process.run(command, check=False, timeout=60).code == 0:
                removed.append(image)
        return removed

    def clean(self) -> Sequence[str]:
        filters = ["--filter", f"name=^{KEPT_PREFIX}"]
        names = _docker("ps", "--all", *filters, "--format", "{{.Names}}").split()
        for name in names:
            process.run(["docker", "rm", "--force", "--volumes", name], check=False, timeout=60)
        return [f"container {name}" for name in names]

    def verify(self, reference: str) -> Sequence[str]:
        try:
            found = _inspect(reference)
        except LabError as error:
            return [error.message]
        with tempfile.TemporaryDirectory(prefix="labctl-verify-", dir=SCRATCH) as scratch:
            saved = Path(scratch) / "image.tar"
            save = ["docker", "image", "save", "--output", str(saved), reference]
            try:
                process.run(save, timeout=SAVE_SECONDS)
                layers = read_layers(saved)
            except (LabError, OSError, ValueError, KeyError, tarfile.TarError) as error:
                return [*label_problems(reference, found), f"Its layers cannot be read: {error}"]
        return [*label_problems(reference, found), *layer_problems(found, layers)]

    def installed(self, reference: str) -> tuple[DebPackage, ...]:
        read = ["--rm", "--network", "none", "--pull", "never", "--entrypoint", "cat"]
        return parse_status(_docker("run", *read, reference, STATUS))

    def archives(self, references: Sequence[str]) -> Sequence[Archive]:
        names = tuple(sorted(set(references)))
        mark = hashlib.sha256(" ".join(names).encode()).hexdigest()[:12]
        # Its layers are compressed nowhere, and images share those of the base.
        least = max(int(_inspect(name)["Size"]) for name in names)
        return [Archive(f"labctl-{mark}.tar", names, least, partial(_save, names))]

    def show(self, reference: str) -> dict[str, Any]:
        found = _inspect(reference)
        labels = _labels(found)
        return {
            "reference": reference,
            "role": labels.get(ROLE_LABEL, ""),
            "created": found["Created"],
            "size": int(found["Size"]),
            "id": found["Id"],
            "architecture": found.get("Architecture", ""),
            "layers": len(found["RootFS"]["Layers"]),
            "packages": packages_to_json(parse_label(labels.get(PACKAGES_LABEL, ""))),
        }


OURS = ("--filter", f"label={HASH_LABEL}")


def parse_images(data: Iterable[Any], *, users: Mapping[str, Sequence[str]]) -> list[Image]:
    """Images from the output of `docker image inspect`; those without a name are left out."""
    found = [
        Image(
            reference,
            _labels(item).get(ROLE_LABEL, ""),
            item["Created"],
            int(item["Size"]),
            tuple(users.get(reference, ())),
        )
        for item in data
        for reference in item["RepoTags"] or ()
    ]
    return sorted(found, key=lambda image: image.created, reverse=True)


def label_problems(reference: str, found: Mapping[str, Any]) -> list[str]:
    """What is wrong with an image's labels: they must match its name."""
    labels, tag = _labels(found), reference.rpartition(":")[2]
    problems = []
    if labels.get(HASH_LABEL) != tag:
        problems.append(f"It is named '{tag}', but made as '{labels.get(HASH_LABEL, 'nothing')}'.")
    if not labels.get(ROLE_LABEL):
        problems.append("It has no label for its role.")
    try:
        packages = parse_label(labels.get(PACKAGES_LABEL, ""))
    except (ValueError, KeyError, TypeError):
        return [*problems, "Its label of packages cannot be read."]
    if not packages and labels.get(ROLE_LABEL) in list(Role):
        problems.append("It has no label of packages.")
    return problems


def layer_problems(found: Mapping[str, Any], layers: Sequence[str]) -> list[str]:
    """Layers whose content differs from what the engine recorded when they were made."""
    wanted = found["RootFS"]["Layers"]
    if len(wanted) != len(layers):
        return [f"It has {len(layers)} layers, not {len(wanted)}."]
    pairs = zip(wanted, layers, strict=True)
    return [
        f"Layer {number} of {len(wanted)} is damaged: it is {is_now}, not {was}."
        for number, (was, is_now) in enumerate(pairs, 1)
        if was != is_now
    ]


def read_layers(saved: Path) -> list[str]:
    """'sha256:...' of every layer's content in a file of `docker image save`, from the bottom."""
    with tarfile.open(saved) as archive:
        manifest = json.load(_member(archive, "manifest.json"))
        return [_digest(_member(archive, name)) for name in manifest[0]["Layers"]]


def _save(names: Sequence[str], target: Path, progress: Progress) -> None:
    progress("archives", f"saving {len(names)} images to '{target.name}'")
    process.run(["docker", "image", "save", "--output", target, *names], timeout=SAVE_SECONDS)


def _digest(file: IO[bytes]) -> str:
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    content: Any = gzip.GzipFile(fileobj=file) if packed else file
    digest = hashlib.sha256()
    while block := content.read(1 << 20):
        digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    # Equal layers are saved once, and the others are links; extractfile follows them.
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"'{name}' is not a file")
    return file


def _labels(found: Mapping[str, Any]) -> Mapping[str, str]:
    return (found.get("Config") or {}).get("Labels") or {}


def _inspect(reference: str) -> Mapping[str, Any]:
    found = process.run(
        ["docker", "image", "inspect", reference],
        hint="'labctl build' makes it.",
        timeout=ASK_SECONDS,
        check=False,
    )
    if found.code != 0:
        raise LabError(
            f"The Docker engine has no image '{reference}'.", hint="'labctl build' makes it."
        )
    inspected: Mapping[str, Any] = json.loads(found.output)[0]
    return inspected


def _docker(*words: str) -> str:
    return process.run(["docker", *words], hint=DOCKER_HINT, timeout=ASK_SECONDS).output


DOCKER_IMAGES = DockerImages()
"""The only store of container images."""
