"""Packages with their own configuration: installed, upgraded, downgraded, purged, installed again.

That is what their users have.  Every call of apt is unattended: nobody can answer a question.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from labctl.core.progress import Progress
from labctl.topology.roles import managed_units
from labctl.upgrade.call import Conversation, open_call
from labctl.upgrade.install import (
    AptRun,
    configure_pending,
    install,
    purge,
    read_status,
    send,
)
from labctl.upgrade.judge import judge_run
from labctl.upgrade.larder import Larder, UnmetError
from labctl.upgrade.machine import Machine
from labctl.upgrade.model import Action, InstallStep, Observation, Scenario, Symptom
from labctl.upgrade.snapshot import Snapshot, take_snapshot
from labctl.upgrade.works import TOKENS_PACKAGE, check_call, check_works

STOPPING = (
    Symptom.FAILED,
    Symptom.HANGS,
    Symptom.UNMET,
    Symptom.NOT_READY,
    Symptom.CALL,
)
SOUND_SECONDS = 60.0
OWN_UPGRADE = "upgrade with the packages' own configuration"


@dataclass(slots=True)
class OwnSteps:
    """The steps of one scenario on a machine; each returns what was seen of it."""

    machine: Machine
    progress: Progress
    steps: list[InstallStep] = field(default_factory=list)
    fresh: Snapshot | None = None

    def install(
        self, larder: Larder, names: Sequence[str], *, action: Action = Action.INSTALL
    ) -> InstallStep:
        """Install packages by name, with their dependencies; then everything must work."""
        return self._put(larder, names, action=action, call=None, answered=True)

    def change(
        self, larder: Larder, names: Sequence[str], *, action: Action, call: Conversation
    ) -> InstallStep:
        """Another version of packages that are installed, with a call going on."""
        return self._put(larder, names, action=action, call=call, answered=False)

    def purge(self, names: Sequence[str]) -> InstallStep:
        """Purge packages; what they leave of Jitsi's in /etc is seen."""
        what = f"purge {', '.join(names)}"
        self.progress("packages", what, node=self.machine.name)
        lab, name, began = self.machine.lab, self.machine.name, time.monotonic()
        units = managed_units(self.machine.node)
        before = take_snapshot(lab, name)
        run = purge(lab, name, names)
        after = take_snapshot(lab, name)
        seen = judge_run(run, node=name, what=what, before=before, after=after, units=units)
        left = left_after_purge(self.fresh or Snapshot(), after, domain=lab.topology.domain)
        observations = (*seen, *(_left(name, path) for path in left))
        return self._done(
            InstallStep(what, Action.PURGE, (name,), tuple(names), time.monotonic() - began),
            observations,
        )

    def call(self) -> None:
        """A call of two, seen with the last step."""
        self.progress("packages", "a call of two", node=self.machine.name)
        last = self.steps[-1]
        seen = (*last.observations, *check_call(self.machine))
        self.steps[-1] = replace(last, observations=seen)

    @property
    def ended(self) -> str | None:
        """Why no further step makes sense."""
        for each in self.steps[-1].observations if self.steps else ():
            if each.symptom in STOPPING:
                return f"'{self.steps[-1].name}': {each.subject} {each.symptom}"
        return None

    def _put(
        self,
        larder: Larder,
        names: Sequence[str],
        *,
        action: Action,
        call: Conversation | None,
        answered: bool,
    ) -> InstallStep:
        lab, name = self.machine.lab, self.machine.name
        units = managed_units(self.machine.node)
        what = f"{action} {', '.join(names)}"
        self.progress("packages", what, node=name)
        step = InstallStep(what, action, (name,), tuple(names))
        before = take_snapshot(lab, name)
        self.fresh = self.fresh or before
        try:
            files = larder.files(names, status=read_status(lab, name))
        except UnmetError as error:
            text = error.message
            unmet = Observation(Symptom.UNMET, name, what, text, package=error.package)
            return self._done(step, [unmet])
        send(lab, name, files)
        began = time.monotonic()
        run = self._finish(install(lab, name, files, answered=answered))
        after = take_snapshot(lab, name)
        seen = list(judge_run(run, node=name, what=what, before=before, after=after, units=units))
        if run.done:
            seen += check_works(self.machine, after.versions.keys())
        if call is not None and not any(each.symptom in STOPPING for each in seen):
            seen += self._sound(call, what)
        lost = None if call is None else round(call.lost_since(began), 2)
        changed = before.changed_packages(after)
        step = replace(
            step,
            seconds=time.monotonic() - began,
            lost=lost,
            installed=tuple(each for each in larder.names() if each in changed),
        )
        return self._done(step, seen)

    def _finish(self, run: AptRun) -> AptRun:
        """After a question about a conffile, go on as somebody would who keeps the file."""
        if run.done or not run.conffiles:
            return run
        later = configure_pending(self.machine.lab, self.machine.name)
        output = f"{run.output}\n{later.output}" if not later.done else later.output
        return replace(later, output=output, conffiles=run.conffiles, asked=run.asked)

    def _sound(self, call: Conversation, what: str) -> Iterable[Observation]:
        if call.wait_sound(seconds=SOUND_SECONDS):
            return ()
        text = f"two people did not hear each other again within {SOUND_SECONDS:.0f} s."
        return (Observation(Symptom.CALL, self.machine.name, what, text),)

    def _done(self, step: InstallStep, seen: Iterable[Observation]) -> InstallStep:
        finished = replace(step, observations=tuple(seen))
        self.steps.append(finished)
        return finished


def try_packages(
    machine: Machine,
    larder: Larder,
    names: Sequence[str],
    *,
    also: Sequence[str] = (),
    progress: Progress,
) -> Scenario:
    """Install packages on a fresh machine in one call of apt, as people do.

    A call of two goes through what they configured, unless people need a token to get in.  Those of
    `also` that are not there then are installed one by one.
    """
    steps = OwnSteps(machine, progress)
    steps.install(larder, names)
    if steps.ended is None and TOKENS_PACKAGE not in names:
        steps.call()
    ended = steps.ended
    for name in also if ended is None else ():
        if name not in installed_on(machine):
            steps.install(larder, [name])
    return Scenario(f"install {', '.join(names)}", tuple(steps.steps), ended)


def upgrade_own(
    machine: Machine,
    old: Larder,
    new: Larder,
    names: Sequence[str],
    *,
    progress: Progress,
) -> Scenario:
    """Put the newer packages over the older, purge them, install them again, go back to the older.

    A call of two goes on over both changes of version.  Ends at the first step that fails.
    """
    steps = OwnSteps(machine, progress)
    steps.install(old, names)

    def change(larder: Larder, action: Action) -> None:
        with open_call(machine.lab, target=machine.target()) as call:
            steps.change(larder, names, action=action, call=call)

    def purge() -> None:
        there = installed_on(machine)
        steps.purge([name for name in new.names() if name in there])

    def again() -> None:
        # Purging forgets the answers; whoever installs again gives them again.
        machine.answer()
        steps.install(new, names, action=Action.REINSTALL)

    # A call is tried before one is to go on: if it has no sound, that step is to blame.
    if not steps.ended:
        steps.call()
    for step in (
        partial(change, new, Action.UPGRADE),
        purge,
        again,
        partial(change, old, Action.DOWNGRADE),
    ):
        if not steps.ended:
            step()
        if not steps.ended and step is again:
            steps.call()
    return Scenario(OWN_UPGRADE, tuple(steps.steps), steps.ended)


def installed_on(machine: Machine) -> frozenset[str]:
    """The packages that a machine has."""
    return frozenset(take_snapshot(machine.lab, machine.name).versions)


def left_after_purge(fresh: Snapshot, after: Snapshot, *, domain: str) -> list[str]:
    """Files in /etc that are Jitsi's by their names and were not there before anything was."""
    new = after.files.keys() - fresh.files.keys() - after.conffiles.keys()
    return sorted(path for path in new if "jitsi" in path or domain in path)


def _left(node: str, path: str) -> Observation:
    text = "is still there after its package was purged."
    return Observation(Symptom.LEFT_OVER, node, path, text)
