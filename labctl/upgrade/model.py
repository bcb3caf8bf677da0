"""What came of installing packages on running nodes: scenarios, steps, observations.  Values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What apt was asked for."""

    INSTALL = "install"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    PURGE = "purge"
    REINSTALL = "install again"


class Symptom(StrEnum):
    """What can be seen when packages are installed."""

    FAILED = "a script failed"
    HANGS = "does not end"
    UNMET = "cannot be installed"
    CONFFILE = "asks about a configuration file"
    QUESTION = "asks a question"
    LEFT_OVER = "leaves a file"
    CHANGED = "changes a file that somebody wrote"
    NOT_RESTARTED = "still runs the older version"
    RESTARTED = "is started more than once"
    NOT_READY = "does not work afterwards"
    CONFIG = "its configuration is wrong"
    DRAIN = "a drained bridge does not behave"
    CALL = "a call does not go on"


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that was seen on a node: which symptom, of what, and of which package.

    `ours` means that labctl is the reason: its files are where people's changes would be, or the
    unit is one that packages cannot know of.
    """

    symptom: Symptom
    node: str
    subject: str
    text: str
    package: str | None = None
    ours: bool = False
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InstallStep:
    """One call of apt on one node, or on several at once.

    `installed` are the packages of the set whose version changed.  `lost` is for how long two
    people in a call did not hear each other because of it, in seconds; None if there was no call.
    """

    name: str
    action: Action
    nodes: tuple[str, ...]
    packages: tuple[str, ...]
    seconds: float = 0.0
    lost: float | None = None
    installed: tuple[str, ...] = ()
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """Steps on one lab, in order.  `ended` says why the later ones were not taken."""

    name: str
    steps: tuple[InstallStep, ...] = ()
    ended: str | None = None

    @property
    def observations(self) -> tuple[Observation, ...]:
        return tuple(each for step in self.steps for each in step.observations)

    @property
    def lost(self) -> float | None:
        """The seconds without sound of all steps with a call together; None without any."""
        found = [step.lost for step in self.steps if step.lost is not None]
        return sum(found) if found else None
