"""Ready means ready: named signals, seen with deadlines, one line each."""

from labctl.ready.probe import NodeState, probe
from labctl.ready.signals import Signal, judge
from labctl.ready.wait import wait_ready

__all__ = ["NodeState", "Signal", "judge", "probe", "wait_ready"]
