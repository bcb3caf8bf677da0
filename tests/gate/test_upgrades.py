"""Upgrades from the baseline to the candidate: which are played, where, and what follows them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from labctl.core.errors import LabError
from labctl.gate import upgrades
from labctl.gate.job import Found, SideJob
from labctl.gate.model import GateCase
from labctl.gate.upgrades import try_upgrades
from labctl.topology.workdir import Workdir
from labctl.upgrade.model import Action, Scenario
from tests.gate.pretended import SPEC, Pretended
from tests.gate.sides import PASSED, make_side
from tests.upgrade.scene import FakeLarder

TESTS = (GateCase("acceptance/test_x.py::test_a", PASSED),)


@dataclass
class Plays:
    """What was played, in order; `ended` are scenarios that did not come to their end, `broken`
    those that this machine could not play."""

    pretended: Pretended
    said: list[Any] = field(default_factory=list)
    ended: tuple[str, ...] = ()
    broken: dict[str, str] = field(default_factory=dict)

    def open_larder(self, job: SideJob, packages: Any, *, folder: Path) -> FakeLarder:
        assert folder.parent.parent == upgrades.CACHE and packages is self.pretended.packages
        return FakeLarder(folder, version=f"{job.label} in {folder.name}")

    @contextmanager
    def bare_machine(self, spec: Any, *, progress: Any) -> Iterator[str]:
        self.said.append(("machine", spec.lab, spec.jvbs, progress))
        yield "a machine"
        self.said.append("machine gone")

    def upgrade_own(
        self, machine: Any, old: FakeLarder, new: FakeLarder, names: Any, *, progress: Any
    ) -> Scenario:
        self.said.append(("own", machine, old.version, new.version, names[0], progress))
        return self.play("own")

    @contextmanager
    def open_call(self, lab: Any) -> Iterator[str]:
        assert Workdir.of(lab.topology.lab).exists()
        self.said.append(("call", lab.topology.lab))
        yield "a call"
        self.said.append("call over")

    def rollout(
        self, lab: Any, larder: FakeLarder, call: str, progress: Any, action: Any = Action.UPGRADE
    ) -> Rollout:
        assert call == "a call" and progress is self.pretended.told
        return Rollout(self, larder.version, action)

    def run_suite(self, lab: Any, *, folder: Path, quick: bool) -> tuple[GateCase, ...]:
        assert folder.is_dir() and quick
        self.said.append(("suite", lab.topology.lab, folder))
        return TESTS

    def play(self, name: str) -> Scenario:
        if name in self.broken:
            raise LabError(self.broken[name])
        return Scenario(name, (), "a step" if name in self.ended else None)


@dataclass
class Rollout:
    plays: Plays
    version: str
    action: Action

    def node_by_node(self) -> Scenario:
        self.plays.said.append((self.action, "node by node", self.version))
        return self.plays.play(f"{self.action} node by node")

    def at_once(self) -> Scenario:
        self.plays.said.append((self.action, "at once", self.version))
        return self.plays.play(f"{self.action} at once")


@pytest.fixture
def plays(pretended: Pretended, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Plays:
    found = Plays(pretended)
    monkeypatch.setattr(upgrades, "CACHE", tmp_path)
    monkeypatch.setattr(upgrades, "resolve", pretended.resolve)
    for name in ("open_larder", "bare_machine", "upgrade_own", "open_call"):
        monkeypatch.setattr(upgrades, name, getattr(found, name))
    monkeypatch.setattr(upgrades, "Rollout", found.rollout)
    monkeypatch.setattr(upgrades.parts, "run_suite", found.run_suite)
    return found


def play(plays: Plays) -> Found:
    told, candidate = plays.pretended.told, plays.pretended.job
    spec = replace(SPEC, lab="gate-baseline")
    baseline = SideJob("baseline", "debs:/y", spec, candidate.folder.parent / "baseline")
    found = Found(make_side())
    try_upgrades(baseline, candidate, found, progress=told)
    return found


def played(found: Found) -> list[tuple[str, bool]]:
    """The scenarios, and whether tests followed."""
    trials = found.side.upgrades or ()
    assert all(each.load is not None and not each.load.measured for each in trials)
    assert all(each.tests in (None, TESTS) for each in trials)
    return [(each.scenario.name, each.tests is not None) for each in trials]


def test_three_labs_are_upgraded_one_after_another(plays: Plays) -> None:
    found = play(plays)
    assert played(found) == [
        ("own", False),
        ("upgrade node by node", True),
        ("upgrade at once", True),
        ("downgrade at once", False),
    ]
    assert found.not_tried == {}
    old, new = "baseline in old", "candidate in new"
    told, folder = plays.pretended.told, plays.pretended.job.folder
    assert plays.said == [
        ("machine", "gate-upgrade-bare", 0, told),
        ("own", "a machine", old, new, "jitsi-meet", told),
        "machine gone",
        ("call", "gate-upgrade"),
        (Action.UPGRADE, "node by node", new),
        "call over",
        ("suite", "gate-upgrade", folder / "upgrade-node-by-node"),
        ("call", "gate-upgrade"),
        (Action.UPGRADE, "at once", new),
        "call over",
        ("suite", "gate-upgrade", folder / "upgrade-at-once"),
        ("call", "gate-upgrade"),
        (Action.DOWNGRADE, "at once", old),
        "call over",
    ]
    tests = [line for line in told.lines if line.startswith("verify: ")]
    assert tests == [
        "verify: running the acceptance tests after 'upgrade node by node'",
        "verify: running the acceptance tests after 'upgrade at once'",
    ]


def test_each_lab_is_new_and_gone_afterwards(plays: Plays) -> None:
    play(plays)
    # Removed before and after each of the two, and made in between.
    assert plays.pretended.machines == ["clean", "data", "clean"] * 2
    assert not Workdir.of("gate-upgrade").path.exists()


def test_an_upgrade_that_did_not_end_well_is_not_followed_by_tests_nor_by_the_way_back(
    plays: Plays,
) -> None:
    plays.ended = ("upgrade node by node", "upgrade at once")
    assert played(play(plays)) == [
        ("own", False),
        ("upgrade node by node", False),
        ("upgrade at once", False),
    ]


def test_what_this_machine_cannot_play_does_not_keep_others_from_it(plays: Plays) -> None:
    plays.broken = {
        "own": "No engine answers.\n  more\n  more",
        "upgrade at once": "No engine answers.\n  less",
    }
    found = play(plays)
    assert played(found) == [("upgrade node by node", True)]
    assert found.not_tried == {"upgrade": "No engine answers."}
    plays.broken["upgrade at once"] = "Nobody came."
    assert play(plays).not_tried == {"upgrade": "No engine answers. Nobody came."}


def test_packages_that_cannot_be_had_are_not_upgraded(
    plays: Plays, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise LabError("The mirror does not answer.\n  more\n  more")

    monkeypatch.setattr(upgrades, "resolve", refuse)
    found = play(plays)
    assert (found.side.upgrades, plays.said) == (None, [])
    assert found.not_tried == {"upgrade": "The mirror does not answer."}


def test_packages_are_not_asked_for_anew(plays: Plays) -> None:
    play(plays)
    assert plays.pretended.asked == [{"cache": upgrades.CACHE}] * 2
