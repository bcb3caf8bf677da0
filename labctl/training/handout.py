"""Hand-outs: a page per lab with what a student needs, and one index; HTML that prints well.

A page holds the lab's ssh key, which is what lets its student in, and no other secret.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.files import write_file
from labctl.node.keys import USER_KEY
from labctl.node.ssh import USER
from labctl.report.page import page_environment
from labctl.topology.lab import Lab
from labctl.topology.workdir import Workdir
from labctl.training.exercise import load_exercise
from labctl.training.progress import load_progress
from labctl.training.surroundings import words

PAGE = "handout.html"
PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Task:
    """The exercise that a lab is in, as its student reads it; `story` in paragraphs."""

    name: str
    title: str
    minutes: int
    story: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Handout:
    """What one student gets."""

    lab: Lab
    key: str
    known_hosts: str
    authority: str
    task: Task | None = None

    @property
    def name(self) -> str:
        return self.lab.topology.lab

    @property
    def ssh_config(self) -> str:
        """An ssh_config for another computer, where the two files lie beside it."""
        nodes = "".join(
            f"Host {node.name}\n  HostName {node.address}\n  HostKeyAlias {node.name}\n"
            for node in self.lab.topology.nodes
        )
        return (
            f"{nodes}Host *\n  User {USER}\n  IdentityFile {self.name}.key\n"
            f"  IdentitiesOnly yes\n  UserKnownHostsFile {self.name}.hosts\n"
            "  StrictHostKeyChecking yes\n"
        )


def read_handout(lab: Lab) -> Handout:
    """The hand-out of a lab that is up.  Errors: LabError if the lab lacks a file for it."""
    folder = lab.folder
    return Handout(
        lab,
        key=_read(folder.ssh / USER_KEY),
        known_hosts=_read(folder.ssh / "known_hosts"),
        authority=_read(folder.ca / "ca.crt"),
        task=_task(lab),
    )


def render_handout(handout: Handout) -> str:
    """The page of one student."""
    template = page_environment().get_template("handout.html.j2")
    topology = handout.lab.topology
    page: str = template.render(
        handout=handout,
        topology=topology,
        user=USER,
        config=handout.lab.folder.ssh_config.resolve(),
        machine=socket.gethostname(),
    )
    return page


def write_handout(lab: Lab) -> Path:
    """Write a lab's page, which only this user may read, and return its path."""
    path = handout_file(lab.folder)
    write_file(path, render_handout(read_handout(lab)), mode=PRIVATE)
    return path


def handout_file(folder: Workdir) -> Path:
    return folder.path / PAGE


def index_file(name: str, *, labs: Path) -> Path:
    """The index of all hand-outs of `<name>-<number>`, below the folder of all labs."""
    return labs / "build" / f"handouts-{name}.html"


def write_index(name: str, labs: Sequence[Lab]) -> Path:
    """Write the page that links to all hand-outs; it holds no secret.

    Errors: LabError if there are no labs."""
    if not labs:
        raise LabError(f"There is no lab '{name}-1', nor another of that name.")
    path = index_file(name, labs=labs[0].folder.path.parent)
    rows = [(lab.topology, f"../{lab.folder.lab}/{PAGE}", _task(lab)) for lab in labs]
    template = page_environment().get_template("handouts.html.j2")
    write_file(path, template.render(name=name, rows=rows), mode=PRIVATE)
    return path


def remove_index(name: str, *, labs: Path) -> None:
    """Remove the index, and its folder if nothing else is in it."""
    path = index_file(name, labs=labs)
    path.unlink(missing_ok=True)
    with suppress(OSError):
        path.parent.rmdir()


def _task(lab: Lab) -> Task | None:
    """The lab's exercise; None if it is in none that has begun."""
    progress = load_progress(lab.folder)
    if not progress.current or not progress.ready:
        return None
    exercise = load_exercise(progress.current, folder=Path(progress.folder))
    story = words(lab, exercise.story).split("\n\n")
    return Task(exercise.name, exercise.title, exercise.minutes, tuple(map(_paragraph, story)))


def _paragraph(text: str) -> str:
    """A paragraph in one line; lists and commands keep their lines."""
    lines = text.strip("\n").splitlines()
    if any(line.startswith(("    ", "- ", "* ", "|", "1. ")) for line in lines):
        return "\n".join(lines)
    return " ".join(text.split())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise LabError(
            f"'{path}' cannot be read: {error.strerror}.",
            hint="'labctl up' writes it again.",
        ) from error
