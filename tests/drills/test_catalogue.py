"""Every drill is whole: names, words, bounds, budgets, an undo for each fault."""

from __future__ import annotations

import re
from ipaddress import IPv4Address

import pytest

from labctl.core.errors import UsageError
from labctl.drills import DRILLS, Drill, want_drills
from labctl.drills.faults import Spot, Start, Undo
from labctl.drills.model import Act, Mark, Need, Probe, Where, Who
from labctl.drills.needs import why_not
from labctl.drills.scripts import render_fault, render_undo
from labctl.report.drill import DrillVerdict
from labctl.topology.layout import resolve
from labctl.topology.spec import Spec
from labctl.topology.versions import NEWEST

HOST = IPv4Address("10.77.0.1")
SPOT = Spot("visitors1", "prosody-v@1.service", "v1", ports=(5269, 52691))
ACTS = [(drill, act) for drill in DRILLS for act in drill.acts]
ACT_IDS = [f"{drill.name}-{n}" for drill in DRILLS for n, _ in enumerate(drill.acts, 1)]


def test_names_are_unique_and_easy_to_type() -> None:
    names = [drill.name for drill in DRILLS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names)
    assert "all" not in names


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_a_drill_says_everything_about_itself(drill: Drill) -> None:
    for words in (drill.title, drill.fault, drill.undone, drill.watched, drill.upstream):
        assert len(words) >= 7
    assert drill.acts
    assert any(act.expects for act in drill.acts)


@pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.name)
def test_a_drill_can_be_decided_within_its_budget(drill: Drill) -> None:
    """Watching as long as a healthy lab needs it leaves time for calls and for healing."""
    usual = sum(
        max([0.0, *(each.within * 0.75 for each in act.possible if each.within)]) + act.quiet
        for act in drill.acts
    )
    assert usual < drill.budget


def test_what_is_weak_has_a_name_and_would_be_seen_to_be_better() -> None:
    """An expectation that may turn out better belongs to a weakness that is put into words."""
    for drill in DRILLS:
        better = [
            each
            for act in drill.acts
            for each in act.possible
            if DrillVerdict.BETTER in (each.otherwise,)
        ]
        idle = drill.place is Where.OWN and drill.weakness is None
        assert bool(better) <= (drill.weakness is not None or idle), drill.name


@pytest.mark.parametrize(("drill", "act"), ACTS, ids=ACT_IDS)
def test_every_fault_has_an_undo(drill: Drill, act: Act) -> None:
    undo = render_undo(act.fault, SPOT)
    assert undo.strip()
    assert undo != render_fault(act.fault, SPOT, host=HOST) or isinstance(act.fault, Start | Undo)


@pytest.mark.parametrize(("drill", "act"), ACTS, ids=ACT_IDS)
def test_an_act_expects_what_it_can_see(drill: Drill, act: Act) -> None:
    """A participant's mark is expected of participants, a component's of components."""
    media = {Mark.SOUND_STOPPED, Mark.SOUND_GONE, Mark.SOUND_BACK, Mark.LOSSY, Mark.NO_WAY}
    people = {Mark.TERMINATED, Mark.REINVITED, Mark.LOST, Mark.HEARD} | media
    pictures = {Mark.PICTURE_STOPPED, Mark.PICTURE_BACK}
    newcomers = {Mark.NEWCOMER_IN, Mark.NEWCOMER_OUT}
    for each in act.possible:
        if each.mark in newcomers:
            assert each.who is Who.NEWCOMERS
            assert [one for one in act.tries if one.probe is not Probe.SAY]
        elif each.mark in people:
            assert each.who in (Who.CALL, Who.OTHERS, Who.VISITORS)
            assert drill.place is not None
        elif each.mark in pictures:
            assert each.who is Who.VIEWERS
            assert drill.place is not None
        else:
            assert each.who in (Who.HIT, Who.BRIDGES, Who.JICOFO)
        assert each.within is None or each.earliest < each.within
        if each.who is Who.VISITORS:
            assert drill.visitors
        if each.cause is not None:
            assert [one for one in act.possible if one.mark is each.cause] or act.outcomes
            assert each.cause is Mark.REGISTERED or drill.place is not None


def test_whoever_is_in_a_call_is_listened_to() -> None:
    """Every drill that breaks something under a call says what becomes of its sound; a new one
    that forgets to is found here."""
    silent_on_it = {
        drill.name
        for drill in DRILLS
        if drill.place is not None
        and not any(
            each.mark in (Mark.SOUND_GONE, Mark.SOUND_BACK)
            for act in drill.acts
            for each in act.possible
        )
    }
    # Streams end here, and with them the participants themselves.
    assert silent_on_it == {"prosody-restart-in-use", "nginx-restart"}


def test_what_depends_on_versions_is_said_for_every_version() -> None:
    """Of two ranges one ends where the next begins: no version is left without an expectation."""
    for drill in DRILLS:
        for act in drill.acts:
            ranges = [each.versions for each in act.possible if each.versions is not None]
            assert {each.package for each in ranges} <= set(NEWEST)
            for each in ranges:
                if each.since is None:
                    continue
                major, _, count = each.since.rpartition("-")
                before = f"{major}-{int(count) - 1}"
                assert any(one.until == before for one in ranges), drill.name


def test_without_a_name_the_how_tos_check_is_meant() -> None:
    assert [drill.name for drill in want_drills(())] == ["failover"]


def test_all_means_every_one_and_doubles_count_once() -> None:
    assert want_drills(("all",)) == DRILLS
    assert len(want_drills(("bridge-stop", "bridge-stop"))) == 1


def test_a_name_that_is_nearly_right_is_named() -> None:
    with pytest.raises(UsageError, match="Did you mean 'bridge-hang'"):
        want_drills(("bridge-hag",))


def named(name: str) -> Drill:
    return want_drills((name,))[0]


@pytest.mark.parametrize(
    ("name", "spec", "reason"),
    [
        ("two-bridges", Spec(jvbs=1), "fewer than three bridges"),
        ("clock", Spec(), "a container has no clock of its own"),
        ("bridge-stop", Spec(jvbs=0), "one bridge only"),
        ("partition-idle", Spec(jvbs=0), "cannot be cut off from itself"),
        ("vnode-stop", Spec(visitors=1), "fewer than two vnodes"),
        ("s2s-cut", Spec(visitors=0), "no vnodes"),
    ],
    ids=["two-of-two", "clock-docker", "one-bridge", "no-far-bridge", "one-vnode", "no-vnode"],
)
def test_what_a_lab_cannot_do_is_skipped_with_the_reason(
    name: str, spec: Spec, reason: str
) -> None:
    why = why_not(named(name), resolve(spec))
    assert why is not None
    assert reason in why


def test_the_readmes_lab_can_do_all_but_the_clock_and_a_lost_machine() -> None:
    cannot = [drill.name for drill in DRILLS if why_not(drill, resolve(Spec()))]
    assert cannot == ["machine-lost", "clock"]
    assert Need.OWN_CLOCK in named("clock").needs
