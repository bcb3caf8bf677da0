"""What differs is planned, what does not is left alone."""

from dataclasses import replace

import pytest

from labctl.core.waiting import NO_PATIENCE
from labctl.render.tree import ChangeCommand, Unit
from provision.archive import render_plan
from provision.facts import Listener, NodeFacts, Stat, UnitState
from provision.manifest import Manifest, ManifestEntry
from provision.phases import render_stage
from provision.plan import ProvisionPlan, make_plan
from provision.problem import NodeProblem

CONF, OTHER, CA = "/etc/prosody/prosody.cfg.lua", "/etc/other/x.conf", "/usr/share/ca.crt"
LINK = "/etc/nginx/on/x"


def entry(path: str, digest: str = "1", mode: int = 0o640) -> ManifestEntry:
    return ManifestEntry(path, "root", "prosody", mode, digest)


MANIFEST = Manifest(
    node="jms",
    files=(entry(CONF), entry(OTHER, mode=0o644), entry(CA)),
    links={LINK: "../x"},
    absent=("/etc/nginx/on/default",),
    commands=(ChangeCommand("update-ca-certificates", (CA,)),),
    units=(
        Unit("nftables.service", 0, ("/etc/nftables.conf",), "reload"),
        Unit("prosody.service", 1, ("/etc/prosody/*",), "restart", (5222,)),
        Unit("nginx.service", 1, (OTHER, LINK), "reload", (443,)),
    ),
    text="old\n",
)
UP = UnitState("loaded", "active", "running", True, False, active_for=100.0)
GOOD = NodeFacts(
    stats={e.path: Stat("root", "prosody", 0o100000, e.mode) for e in MANIFEST.files},
    digests={e.path: e.sha256 for e in MANIFEST.files},
    links={LINK: "../x"},
    units={unit.name: UP for unit in MANIFEST.units},
    users=frozenset({"root"}),
    groups=frozenset({"root", "prosody"}),
    listeners=(
        Listener(5222, "0.0.0.0", "prosody.service", "-"),
        Listener(443, "0.0.0.0", "nginx.service", "-"),
    ),
    applied=MANIFEST,
)


def verbs(plan: ProvisionPlan) -> list[str]:
    """What is done to units, as the node's scripts get it, without what every stage has."""
    enable = [f"enable {name}" for name in plan.enable]
    lines = [
        line
        for stage in plan.stages.values()
        if not stage.empty
        for line in render_stage(stage, NO_PATIENCE).splitlines()
    ]
    kept = [line.replace("\t", " ") for line in lines if line[:4] not in ("unit", "port", "dead")]
    return enable + kept


def with_unit(name: str, state: UnitState) -> NodeFacts:
    return replace(GOOD, units={**GOOD.units, name: state})


def test_nothing_to_do() -> None:
    plan = make_plan(MANIFEST, GOOD)
    assert not plan.places
    assert not plan.finish
    assert not plan.commands
    assert verbs(plan) == []
    assert render_plan(plan) == ""


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(replace(GOOD, digests={**GOOD.digests, CONF: "2"}), CONF, id="content"),
        pytest.param(
            replace(GOOD, stats={**GOOD.stats, CONF: Stat("root", "prosody", 0o100000, 0o666)}),
            CONF,
            id="mode",
        ),
        pytest.param(
            replace(GOOD, stats={**GOOD.stats, CONF: Stat("root", "prosody", 0o120000, 0o640)}),
            CONF,
            id="a link in its place",
        ),
    ],
)
def test_drift_is_put_right_and_its_unit_restarted(facts: NodeFacts, expected: str) -> None:
    plan = make_plan(MANIFEST, facts)
    assert [e.path for e in plan.write] == [expected]
    assert verbs(plan) == ["restart prosody.service"]
    assert plan.finish


@pytest.mark.parametrize(
    ("applied", "found", "written"),
    [("1", "rewritten", []), ("1", None, [CONF]), ("0", "rewritten", [CONF])],
    ids=["the service wrote it anew", "missing", "the lab wants another content"],
)
def test_a_kept_file_is_the_services_own(
    applied: str, found: str | None, written: list[str]
) -> None:
    kept = replace(entry(CONF), kept=True)
    manifest = replace(MANIFEST, files=(kept,), text="new\n")
    facts = replace(
        GOOD,
        stats={CONF: Stat("root", "prosody", 0o100000, 0o640)} if found else {},
        digests={CONF: found} if found else {},
        applied=replace(MANIFEST, files=(replace(kept, sha256=applied),)),
    )
    assert [e.path for e in make_plan(manifest, facts).write] == written


def test_a_link_that_points_elsewhere_reloads() -> None:
    plan = make_plan(MANIFEST, replace(GOOD, links={LINK: "../y"}))
    assert plan.links == (LINK,)
    assert verbs(plan) == ["reload nginx.service"]


def test_what_a_killed_run_began_is_made_good() -> None:
    plan = make_plan(MANIFEST, replace(GOOD, pending=frozenset({CONF, CA})))
    assert not plan.write
    assert plan.commands == ("update-ca-certificates",)
    assert verbs(plan) == ["restart prosody.service"]
    assert plan.finish


def test_a_killed_run_shows_without_its_mark_too() -> None:
    before = replace(MANIFEST, files=(entry(CONF, "0"), *MANIFEST.files[1:]), text="older\n")
    plan = make_plan(MANIFEST, replace(GOOD, applied=before))
    assert verbs(plan) == ["restart prosody.service"]


def test_the_first_run_changes_everything() -> None:
    plan = make_plan(MANIFEST, replace(GOOD, applied=None))
    assert verbs(plan) == ["restart prosody.service", "reload nginx.service"]
    assert plan.commands == ("update-ca-certificates",)


def test_what_is_no_longer_wanted_goes() -> None:
    smaller = replace(MANIFEST, files=MANIFEST.files[:1], links={}, units=MANIFEST.units[:2])
    plan = make_plan(smaller, GOOD)
    assert plan.remove == (LINK, OTHER, CA)
    assert plan.stop == ("nginx.service",)
    assert verbs(plan) == []


def test_what_must_be_absent_goes() -> None:
    default = MANIFEST.absent[0]
    there = replace(GOOD, stats={**GOOD.stats, default: Stat("root", "root", 0o120000, 0o777)})
    assert make_plan(MANIFEST, there).remove == (default,)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(replace(UP, active="inactive"), ["start prosody.service"], id="inactive"),
        pytest.param(replace(UP, active="failed"), ["start prosody.service"], id="failed"),
        pytest.param(replace(UP, sub="dead"), ["restart prosody.service"], id="init script"),
        pytest.param(replace(UP, enabled=False), ["enable prosody.service"], id="disabled"),
        pytest.param(replace(UP, active="activating"), [], id="starting"),
    ],
)
def test_units_are_brought_up(state: UnitState, expected: list[str]) -> None:
    assert verbs(make_plan(MANIFEST, with_unit("prosody.service", state))) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(2.0, [], id="it may still open it"),
        pytest.param(60.0, ["restart prosody.service"], id="it never will"),
    ],
)
def test_an_active_unit_without_its_port(seconds: float, expected: list[str]) -> None:
    facts = with_unit("prosody.service", replace(UP, active_for=seconds))
    plan = make_plan(MANIFEST, replace(facts, listeners=GOOD.listeners[1:]))
    assert verbs(plan) == expected
    assert not plan.stages[1].empty  # it is waited for in either case


def test_a_socket_of_which_the_kernel_tells_nothing_counts() -> None:
    listeners = (Listener(5222, "0.0.0.0", "?", "-"), GOOD.listeners[1])
    assert verbs(make_plan(MANIFEST, replace(GOOD, listeners=listeners))) == []


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]", "*"])
def test_a_stranger_on_a_port_is_refused(address: str) -> None:
    stranger = Listener(5222, address, "-", 'users:(("nc",pid=7,fd=3))')
    with pytest.raises(NodeProblem, match=r"Port 5222.*'prosody.service'.*nc.*pid=7"):
        make_plan(MANIFEST, replace(GOOD, listeners=(stranger,)))


def test_a_unit_that_goes_may_hold_a_port() -> None:
    old = replace(MANIFEST, units=(*MANIFEST.units, Unit("old.service", 1)))
    holder = Listener(5222, "*", "old.service", "-")
    facts = replace(GOOD, applied=old, listeners=(holder, *GOOD.listeners))
    assert make_plan(MANIFEST, facts).stop == ("old.service",)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(replace(GOOD, users=frozenset()), "no user 'root'", id="user"),
        pytest.param(replace(GOOD, groups=frozenset({"root"})), "group 'prosody'", id="group"),
    ],
)
def test_an_owner_that_does_not_exist_is_named(facts: NodeFacts, expected: str) -> None:
    with pytest.raises(NodeProblem, match=expected):
        make_plan(MANIFEST, facts)


def test_missing_folders_belong_to_whom_their_file_belongs_to() -> None:
    data = ManifestEntry("/var/lib/p/accounts/a.dat", "root", "prosody", 0o640, "1")
    plan = make_plan(replace(MANIFEST, files=(data,)), replace(GOOD, applied=None))
    assert "mkdir\t0750\troot\tprosody\t/var/lib/p/accounts\n" in render_plan(plan)


def test_a_changed_unit_file_reloads_systemd() -> None:
    unit = ManifestEntry("/etc/systemd/system/p@.service", "root", "root", 0o644, "1")
    plan = make_plan(replace(MANIFEST, files=(*MANIFEST.files, unit)), GOOD)
    assert plan.daemon_reload
