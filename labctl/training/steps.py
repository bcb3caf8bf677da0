"""Runs the steps of an exercise: scripts on nodes, certificates, and a call that goes on."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.core.waiting import wait_until
from labctl.crowd import Kind, Target
from labctl.crowd.sync import SyncCrowd, crowd_in
from labctl.node import jicofo
from labctl.node.reach import reach
from labctl.node.script import ShellScript
from labctl.render.ca import ensure_authority
from labctl.topology.lab import Lab
from labctl.topology.model import Node
from labctl.training.exercise import CALL, NOTED, Exercise, ExerciseStep
from labctl.training.surroundings import holder_of, prelude, words

STEP_SECONDS = 90.0
JOIN_SECONDS = 15.0
MOVE_SECONDS = 30.0
INTERVAL = 0.2
# Standard input: the certificate, an empty line, and the key.
_PUT = """
set -eu
mkdir -p "$(dirname -- "$path")"
awk -v crt="$path.crt" -v key="$path.key" '
    /BEGIN CERTIFICATE/ { out = crt }
    /BEGIN .*PRIVATE KEY/ { out = key }
    out { print > out }'
[ -z "$owner" ] || chown "$owner" "$path.crt" "$path.key"
"""


class CallEnded(LabError):
    """The call that a step needs did not go on as it should."""


def run_steps(
    lab: Lab,
    exercise: Exercise,
    steps: Sequence[ExerciseStep],
    *,
    progress: Progress,
    notes: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Run the steps in order; the notes, with what is noted on the way: the bridge of a call, and
    the one to which it was moved.

    Errors: LabError that names the exercise, the node and the script."""
    notes = dict(notes or {})
    for step in steps:
        if step.people:
            with _call(lab, step.people) as crowd:
                notes["bridge"] = bridge = _bridge_of(lab, crowd)
                node = _node_of(lab, step, notes)
                run_script(lab, exercise, step, node=node, progress=progress, notes=notes)
                if step.moved:
                    notes["moved_to"] = _wait_moved(lab, crowd, away_from=bridge)
        elif step.certificate:
            _put_certificate(lab, step)
        else:
            node = _node_of(lab, step, notes)
            run_script(lab, exercise, step, node=node, progress=progress, notes=notes)
    return notes


def run_script(
    lab: Lab,
    exercise: Exercise,
    step: ExerciseStep,
    *,
    node: Node,
    progress: Progress,
    notes: Mapping[str, str],
) -> None:
    """Run one script as root, with the lab's names and addresses as variables."""
    progress("class", f"'{step.run}'", node=node.name)
    text = prelude(lab, node, notes=notes) + exercise.script(step)
    work = ShellScript(text)
    answer = reach(lab).run(node.name, work, sudo=True, seconds=STEP_SECONDS, check=False)
    if answer.code != 0:
        raise LabError(
            f"Exercise '{exercise.name}': '{step.run}' failed on node '{node.name}':"
            f" {answer.last_words}",
            hint="'labctl class reset' brings the lab back.",
        )


def _put_certificate(lab: Lab, step: ExerciseStep) -> None:
    node = holder_of(lab, step.on)
    names = [words(lab, name) for name in step.names]
    issued = ensure_authority(lab.folder, domain=lab.topology.domain).sign(names, days=step.days)
    path, _, owner = words(lab, step.certificate).partition(" ")
    head = prelude(lab, node, notes={"path": path, "owner": owner}, mark="")
    text = f"{issued.certificate}\n{issued.key}"
    reach(lab).run(node.name, ShellScript(head + _PUT), sudo=True, stdin=text)


@contextmanager
def _call(lab: Lab, people: int) -> Iterator[SyncCrowd]:
    """People in a room who are on a bridge."""
    with crowd_in(Target.of(lab), f"class-{secrets.token_hex(4)}") as crowd:
        crowd.join(people, deadline=JOIN_SECONDS)
        crowd.wait_for(Kind.ACCEPTED, deadline=JOIN_SECONDS)
        yield crowd


def _bridge_of(lab: Lab, crowd: SyncCrowd) -> str:
    room = Target.of(lab).room_jid(crowd.room, None)
    return min(jicofo.read_conference(lab, room), default="")


def _wait_moved(lab: Lab, crowd: SyncCrowd, *, away_from: str) -> str:
    """Until everybody was invited again, and Jicofo has the call on another bridge."""
    crowd.wait_for(Kind.REINVITED, deadline=MOVE_SECONDS)
    seen = away_from

    def moved() -> bool:
        nonlocal seen
        seen = _bridge_of(lab, crowd)
        return seen not in ("", away_from)

    if not wait_until(moved, deadline=lab.patience.deadline(MOVE_SECONDS), interval=INTERVAL):
        raise CallEnded(f"The call on bridge '{away_from}' was not moved to another bridge.")
    return seen


def _node_of(lab: Lab, step: ExerciseStep, notes: Mapping[str, str]) -> Node:
    """The node on which a step runs."""
    if step.on not in (CALL, NOTED):
        return holder_of(lab, step.on)
    nick = notes.get("bridge", "")
    for node in lab.topology.nodes:
        if node.bridge == nick:
            return node
    raise CallEnded("Jicofo does not know on which bridge the call is.")
