"""What a status says about each node and unit of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from labctl.report.status import Status
from labctl.topology.model import Node
from labctl.topology.roles import BRIDGE
from labctl.topology.units import UnitFacts


class State(StrEnum):
    """Whether something works."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    """Nobody has looked."""


@dataclass(frozen=True, slots=True)
class Health:
    """Answers by node and unit; without a status, nothing is known."""

    status: Status | None

    def node_problem(self, node: Node) -> str:
        """Why a node as a whole does not work; empty if it does, or if nobody has looked."""
        if self.status is None:
            return ""
        found = next((it for it in self.status.nodes if it.name == node.name), None)
        if found is None:
            return "not in the running lab"
        return "" if found.answers else "does not answer"

    def unit_problem(self, node: Node, unit: UnitFacts) -> str:
        """Why a unit does not work, in a few words; empty if it does."""
        if self.status is None:
            return ""
        if problem := self.node_problem(node):
            return problem
        nodes = (it for it in self.status.nodes if it.name == node.name)
        if any(unit.name in it.idle_units for it in nodes):
            return "not active"
        if unit.template == BRIDGE.template:
            return self._bridge_problem(node.bridge)
        return self._vnode_problem(unit.vnode.name) if unit.vnode is not None else ""

    def state_of(self, problem: str) -> State:
        if self.status is None:
            return State.UNKNOWN
        return State.BAD if problem else State.GOOD

    def _bridge_problem(self, nick: str | None) -> str:
        assert self.status is not None
        for bridge in self.status.bridges:
            if bridge.nick == nick:
                if not bridge.in_brewery:
                    return "not in the brewery"
                return "" if bridge.operational else "not operational"
        return "unknown to Jicofo"

    def _vnode_problem(self, name: str) -> str:
        assert self.status is not None
        for vnode in self.status.vnodes:
            if vnode.name == name:
                return "" if vnode.registered else "not registered in Jicofo"
        return "unknown to Jicofo"
