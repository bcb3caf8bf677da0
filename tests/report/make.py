"""Reports to test with: a small lab in which one vnode was stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from labctl.layout import resolve
from labctl.model import Packages, PackageSource, Spec, Topology
from labctl.report.failures import group_failures
from labctl.report.logs import merge
from labctl.report.model import Outcome, Report, Run, Test

START = 1795270680.0
"""2026-11-21 14:18:00 UTC."""

LOGS = {
    "jms": (
        "##### clock 1795270700.100000000 +0000 asked 1795270700.000\n"
        "##### /var/log/jitsi/jicofo.log\n"
        "Jicofo 2026-11-21 14:18:01.300 SEVERE: [25] [xmpp_connection=v1] closedOnError#1: <b>&\n"
        "  at some.Where\n"
        "##### /var/log/prosody/prosody.log\n"
        "Nov 21 14:18:01 mod_s2s\twarn\tno answer\n"
        "##### /var/log/prosody/prosody.err\n"
        "Nov 21 14:18:01 mod_s2s\twarn\tno answer\n"
        "##### sockets\nudp UNCONN\n"
    ),
    "visitors1": (
        "##### clock 1795270700.100000000 +0000 asked 1795270700.000\n"
        "##### journal\n"
        "Nov 21 14:10:00.500000 visitors1 systemd[1]: Stopped prosody-v@1.service - Prosody.\n"
        "Nov 21 14:18:01.100000 visitors1 systemd[1]: something at the time\n"
        "Nov 21 14:18:01.200000 visitors1 sudo[9]: noise\n"
    ),
}


def topology(**changes: Any) -> Topology:
    packages = Packages(source=PackageSource.STAND_INS)
    return resolve(Spec(lab="demo", jvbs=2, visitors=10, packages=packages, **changes))


def test_of(name: str = "test_x", outcome: Outcome = Outcome.PASSED, **changes: Any) -> Test:
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


def status_of(lab: Topology, *, stand_in: bool = True, broken: bool = False) -> dict[str, Any]:
    """What `labctl status --json` says."""
    packages = {"jicofo": {"version": "0~standin1" if stand_in else "1.0-1", "stand_in": stand_in}}
    return {
        "lab": lab.lab,
        "missing": {"vnodes": "not registered: v1"} if broken else {},
        "stand_ins": ["jicofo"] if stand_in else [],
        "nodes": [
            {"name": n.name, "answers": True, "units": {}, "packages": packages} for n in lab.nodes
        ],
        "bridges": [{"nick": nick, "operational": True} for nick in lab.bridges],
        "vnodes": [
            {"name": v.name, "active": True, "registered": not (broken and v.index == 1)}
            for v in lab.vnodes
        ],
    }


DRILL = {
    "name": "vnode-stop",
    "title": "A vnode with visitors is stopped",
    "verdict": "as expected",
    "seconds": 58.2,
    "weakness": "visitors are sent to a dead vnode",
    "fault": "systemctl stop",
    "acts": [{"fault": "stop", "where": "the vnode in use"}],
    "findings": [
        {"act": 0, "says": "streams end", "verdict": "as expected", "seen": "after 0.1 s"}
    ],
    "people": [{"part": "visitors", "name": "visitor 1"}, {"part": "call", "name": "p1"}],
    "timeline": [
        {"act": 0, "at": 0.1, "part": "visitors", "subject": "visitor 1", "mark": "lost"},
        {
            "act": 0,
            "at": 2.0,
            "part": "Jicofo",
            "subject": "v1",
            "mark": "reconnects",
            "detail": "x",
        },
    ],
    "healthy_after": 2.5,
}
CROWD = {"asked": 3, "phases": {"join": {"count": 3, "p50": 0.1, "p95": 0.4, "max": 1.2}}}


def report_of(*tests: Test, **changes: Any) -> Report:
    """A report of these tests, else of one that passed and two that failed alike."""
    lab = topology()
    bad = [
        test_of(f"test_unit[visitors1-prosody-v@{i}]", Outcome.FAILED, message="it is <inactive>")
        for i in (1, 2)
    ]
    run = run_of(*(tests or (test_of(), *bad)))
    made: dict[str, Any] = {
        "made": START + 10,
        "version": "0.1.0",
        "topology": lab.to_json(),
        "run": run,
        "status": status_of(lab, broken=bool(run.bad)),
        "timings": {"ended": START, "total": 9.5, "phases": {"images": 0.5, "ready": 9.0}},
        "failures": group_failures(run.bad, entries=merge(LOGS), topology=lab),
        "drills": [DRILL],
        "crowd": CROWD,
    }
    return Report(**{**made, **changes})
