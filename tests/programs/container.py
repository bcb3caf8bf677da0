"""One container of role jms that reads rendered trees; nothing of it stays."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from labctl.render import Tree
from labctl.render.tree import RenderedFile

SCRIPT = Path(__file__).with_name("check.sh")
_HEAD = re.compile(r"^=== (\S+) (\d+) (\S+) (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Check:
    """One program's word on one thing of a node."""

    program: str
    status: int
    node: str
    what: str
    said: str


def ask_programs(image: str, trees: Iterable[Tree]) -> list[Check]:
    """Give trees to the programs in `image`; files have their rendered owners and modes."""
    command = "tar -x -C / && exec sh /check.sh"
    # nft needs the right to look at the kernel's tables; the container has a network of its own.
    options = ["--rm", "-i", "--network", "none", "--cap-add", "NET_ADMIN"]
    done = subprocess.run(
        ["docker", "run", *options, image, "sh", "-c", command],
        input=archive_of(trees),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return list(parse_checks(done.stdout.decode()))


def parse_checks(output: str) -> Iterator[Check]:
    heads = list(_HEAD.finditer(output))
    ends = [head.start() for head in heads[1:]] + [len(output)]
    for head, end in zip(heads, ends, strict=True):
        program, status, node, what = head.groups()
        yield Check(program, int(status), node, what, output[head.end() : end].strip())


def archive_of(trees: Iterable[Tree]) -> bytes:
    """A tar archive with every node's files and links below `nodes/<node>/`, and the script."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        _add(archive, "", RenderedFile("check.sh", SCRIPT.read_text()))
        for tree in trees:
            for folder in tree.folders:
                info = tarfile.TarInfo(f"nodes/{tree.node}{folder.path}")
                info.type, info.mode = tarfile.DIRTYPE, folder.mode
                info.uname, info.gname, info.uid, info.gid = folder.owner, folder.group, 0, 0
                archive.addfile(info)
            for file in tree.files:
                _add(archive, f"nodes/{tree.node}", file)
            for link in tree.links:
                info = tarfile.TarInfo(f"nodes/{tree.node}{link.path}")
                info.type, info.linkname = tarfile.SYMTYPE, link.target
                archive.addfile(info)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, top: str, file: RenderedFile) -> None:
    data = file.text.encode()
    info = tarfile.TarInfo(f"{top}{file.path}")
    info.size, info.mode, info.uname, info.gname = len(data), file.mode, file.owner, file.group
    archive.addfile(info, io.BytesIO(data))
