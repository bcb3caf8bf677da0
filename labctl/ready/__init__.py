"""Ready means ready: named signals, seen with deadlines, one line each."""

from labctl.ready.probe import NodeState, probe
from labctl.ready.signals import Signal, judge
from labctl.ready.wait import NotReadyError, probe_all, wait_ready

__all__ = ["NodeState", "NotReadyError", "Signal", "judge", "probe", "probe_all", "wait_ready"]
