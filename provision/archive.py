"""The input of `node/place.sh`: the plan as lines, the new files by number, and their checksums.

It is sent on standard input as base64 text, so that no secret is ever in an argument list and no
second connection is needed.
"""

from __future__ import annotations

import io
import tarfile
from base64 import encodebytes
from hashlib import sha256
from pathlib import Path

from provision.manifest import ManifestEntry
from provision.plan import ProvisionPlan
from provision.problem import NodeProblem


def render_archive(plan: ProvisionPlan, *, files: Path) -> str:
    """The archive for one node; `files` is its rendered tree.

    Errors: NodeProblem if the tree differs from the manifest.
    """
    members = {"plan": render_plan(plan).encode()}
    for number, entry in enumerate(plan.write):
        members[str(number)] = _content(entry, files, plan.manifest.node)
    sums = "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in members.items())
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, data in {"sums": sums.encode(), **members}.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o600
            archive.addfile(info, io.BytesIO(data))
    return encodebytes(buffer.getvalue()).decode("ascii")


def render_plan(plan: ProvisionPlan) -> str:
    """The plan as lines of tab-separated words."""
    targets = plan.manifest.targets
    lines = [
        *(("dirty", path) for path in sorted(plan.dirty)),
        *(("mkdir", *_owned(entry)) for entry in plan.new_dirs),
        *(("dir", *_owned(entry)) for entry in plan.dirs),
        *(("file", str(n), *_owned(entry)) for n, entry in enumerate(plan.write)),
        *(("stop", name) for name in plan.stop),
        *(("remove", path) for path in plan.remove),
        *(("link", targets[path], path) for path in plan.links),
        *(("rmdir", path) for path in plan.old_dirs),
        *(("enable", name) for name in plan.enable),
    ]
    if plan.daemon_reload:
        lines.append(("daemon-reload", "yes"))
    return "".join("\t".join(words) + "\n" for words in lines)


def _owned(entry: ManifestEntry) -> tuple[str, str, str, str]:
    return f"{entry.mode:04o}", entry.owner, entry.group, entry.path


def _content(entry: ManifestEntry, files: Path, node: str) -> bytes:
    source = files / entry.path.removeprefix("/")
    try:
        data = source.read_bytes()
    except OSError as error:
        raise NodeProblem(node, "place", f"'{source}' cannot be read: {error.strerror}.") from None
    if sha256(data).hexdigest() != entry.sha256:
        raise NodeProblem(
            node,
            "place",
            f"'{source}' differs from the manifest.",
            hint="Run 'labctl up' again to render the tree.",
        )
    return data
