"""Readiness: named signals with deadlines, one line each; the last one is media."""

from labctl.ready.probe import NodeState, probe
from labctl.ready.signals import Signal, judge_signals
from labctl.ready.wait import NotReadyError, probe_all, wait_ready

__all__ = [
    "NodeState",
    "NotReadyError",
    "Signal",
    "judge_signals",
    "probe",
    "probe_all",
    "wait_ready",
]
