"""What makes two trials the same: packages, topology, what is tried, and labctl itself.

An interrupted gate continues, and a baseline's result is used again, only if all of these are the
same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

from labctl.core.errors import LabError
from labctl.core.plain import to_plain
from labctl.core.progress import Progress
from labctl.gate.job import SideJob
from labctl.images.make import CACHE
from labctl.images.packages import resolve
from labctl.topology.layout import roles_of
from labctl.topology.places import CODE as CODE_FOLDER
from labctl.topology.spec import Spec

CODE = ("labctl", "acceptance", "provision", "standins", "packer")
"""What decides how packages are tried and what is said of them."""

NOT_COMPARED = frozenset({"label", "source", "spec", "folder", "keep", "beside", "resumed"})
"""What of a job says nothing about its result; the spec counts by `_topology`."""


def identify(spec: Spec, *, progress: Progress) -> str:
    """The packages of a spec by their contents; empty if they cannot be had, which the gate then
    says in its own way."""
    try:
        found = resolve(spec.packages, cache=CACHE, force=True, progress=progress)
    except LabError:
        return ""
    return digest([found.identity(role) for role in roles_of(spec)])


def job_key(job: SideJob) -> str:
    """What a side is, whatever it is called and wherever its lab is; empty for unknown packages."""
    if not job.identity:
        return ""
    asked = {
        each.name: to_plain(getattr(job, each.name))
        for each in fields(job)
        if each.name not in NOT_COMPARED
    }
    return digest([code_digest(), _topology(job.spec), asked])


def gate_key(jobs: Sequence[SideJob]) -> str:
    """What a gate is; empty if the packages of a side are not known."""
    keys = [[job.label, job.source, job_key(job)] for job in jobs]
    return digest(keys) if all(key for *_, key in keys) else ""


def _topology(spec: Spec) -> Mapping[str, Any]:
    """The lab without its name, its place in the network, and the words for its packages."""
    without = ("lab", "network", "packages")
    return {name: value for name, value in spec.to_json().items() if name not in without}


def digest(data: object) -> str:
    """A short name for plain data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()[:16]


@cache
def code_digest(root: Path = CODE_FOLDER) -> str:
    """labctl's version: what its files hold, because a working copy has no other."""
    found = hashlib.sha256()
    for path in sorted(path for name in CODE for path in (root / name).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
