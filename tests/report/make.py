"""Reports to test with: a small lab in which one vnode was stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from labctl.core.progress import UpTimings
from labctl.crowd.figures import Figures, Spread
from labctl.crowd.record import CrowdRecord
from labctl.report.drill import (
    ActRecord,
    DrillFinding,
    DrillRecord,
    DrillVerdict,
    MomentRecord,
    PersonRecord,
)
from labctl.report.failures import group_failures
from labctl.report.logs import merge
from labctl.report.model import Report, ReportOutcome, Run, Test
from labctl.report.status import (
    BridgeStatus,
    MachinesStatus,
    NodeStatus,
    PackageStatus,
    Status,
    VNodeStatus,
)
from labctl.topology.layout import resolve
from labctl.topology.model import Topology
from labctl.topology.spec import Packages, PackageSource, Spec

START = 1795270680.0
"""2026-11-21 14:18:00 UTC."""

LOGS = {
    "jms": (
        "=== labctl: clock 1795270700.100000000 +0000 asked 1795270700.000\n"
        "=== labctl: /var/log/jitsi/jicofo.log\n"
        "Jicofo 2026-11-21 14:18:01.300 SEVERE: [25] [xmpp_connection=v1] closedOnError#1: <b>&\n"
        "  at some.Where\n"
        "=== labctl: /var/log/prosody/prosody.log\n"
        "Nov 21 14:18:01 mod_s2s\twarn\tno answer\n"
        "=== labctl: /var/log/prosody/prosody.err\n"
        "Nov 21 14:18:01 mod_s2s\twarn\tno answer\n"
        "=== labctl: sockets\nudp UNCONN\n"
    ),
    "visitors1": (
        "=== labctl: clock 1795270700.100000000 +0000 asked 1795270700.000\n"
        "=== labctl: journal\n"
        "Nov 21 14:10:00.500000 visitors1 systemd[1]: Stopped prosody-v@1.service - Prosody.\n"
        "Nov 21 14:18:01.100000 visitors1 systemd[1]: something at the time\n"
        "Nov 21 14:18:01.200000 visitors1 sudo[9]: noise\n"
    ),
}


def topology(**changes: Any) -> Topology:
    packages = Packages(source=PackageSource.STAND_INS)
    return resolve(Spec(lab="demo", jvbs=2, visitors=10, packages=packages, **changes))


def test_of(
    name: str = "test_x", outcome: ReportOutcome = ReportOutcome.PASSED, **changes: Any
) -> Test:
    made = Test(
        nodeid=f"acceptance/test_services.py::{name}",
        outcome=outcome,
        started=START + 1,
        ended=START + 2,
        doc="When this fails, visitors see nobody.",
        markers=("services", "slow"),
        seconds={"setup": 0.1, "call": 0.8, "teardown": 0.0},
    )
    return replace(made, **changes)


test_of.__test__ = False  # type: ignore[attr-defined]


def run_of(*tests: Test, **changes: Any) -> Run:
    ended = {
        "began": START,
        "ended": START + 9,
        "exit_status": int(any(t.outcome.bad for t in tests)),
    }
    return Run(tests=tests, **{**ended, "chosen": len(tests), **changes})


def status_of(lab: Topology, *, stand_in: bool = True, broken: bool = False) -> Status:
    """What `labctl status --json` says."""
    package = PackageStatus("0~standin1" if stand_in else "1.0-1", stand_in=stand_in)
    return Status(
        lab=lab.lab,
        provider=str(lab.provider),
        machines=MachinesStatus("containers", "", False, "this machine's kernel", 1.0),
        domain=lab.domain,
        network=str(lab.network),
        max_participants=lab.spec.max_participants,
        relays=lab.spec.relays,
        healthy=not broken,
        missing={"vnodes": "not registered: v1"} if broken else {},
        stand_ins=("jicofo",) if stand_in else (),
        nodes=tuple(
            NodeStatus(
                node.name,
                str(node.role),
                str(node.address),
                "running",
                True,
                packages={"jicofo": package},
            )
            for node in lab.nodes
        ),
        bridges=tuple(BridgeStatus(nick, nick, True, True) for nick in lab.bridges),
        vnodes=tuple(
            VNodeStatus(vnode.name, node.name, vnode.unit, True, not (broken and vnode.index == 1))
            for vnode, node in lab.vnode_nodes()
        ),
    )


DRILL = DrillRecord(
    name="vnode-stop",
    title="A vnode with visitors is stopped",
    verdict=DrillVerdict.EXPECTED,
    seconds=58.2,
    weakness="visitors are sent to a dead vnode",
    fault="systemctl stop",
    acts=(ActRecord("stop", "the vnode in use"),),
    findings=(DrillFinding(0, "streams end", DrillVerdict.EXPECTED, "after 0.1 s"),),
    people=(PersonRecord("visitors", "visitor 1"), PersonRecord("call", "p1")),
    timeline=(
        MomentRecord(0, 0.1, "visitors", "visitor 1", "lost"),
        MomentRecord(0, 2.0, "Jicofo", "v1", "reconnects", "x"),
    ),
    heard=("sound of participants of the call: went on for all 1 (longest pause 0.1 s)",),
    healthy_after=2.5,
)
CROWD = CrowdRecord(figures=Figures(asked=3, phases={"join": Spread(3, 0.1, 0.4, 1.2)}))


def report_of(*tests: Test, **changes: Any) -> Report:
    """A report of these tests, else of one that passed and two that failed alike."""
    lab = topology()
    bad = [
        test_of(
            f"test_unit[visitors1-prosody-v@{i}]",
            ReportOutcome.FAILED,
            message="it is <inactive>",
        )
        for i in (1, 2)
    ]
    run = run_of(*(tests or (test_of(), *bad)))
    made: dict[str, Any] = {
        "made": START + 10,
        "version": "0.1.0",
        "topology": lab,
        "run": run,
        "status": status_of(lab, broken=bool(run.bad)),
        "timings": UpTimings(START, 9.5, {"images": 0.5, "ready": 9.0}),
        "failures": group_failures(run.bad, entries=merge(LOGS), topology=lab),
        "drills": (DRILL,),
        "crowd": CROWD,
    }
    return Report(**{**made, **changes})
