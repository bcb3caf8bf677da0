"""What a run did: paths, commands, and units by what was done to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provision.plan import ProvisionPlan


@dataclass(frozen=True, slots=True)
class NodeOutcome:
    """What a run did on one node."""

    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    enabled: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    reloaded: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()

    @classmethod
    def of(cls, plan: ProvisionPlan) -> NodeOutcome:
        """What a plan that has been applied did."""
        stages = plan.stages.values()
        return cls(
            changed=tuple(sorted({*(entry.path for entry in plan.write), *plan.links})),
            removed=plan.remove,
            commands=plan.commands,
            enabled=plan.enable,
            restarted=tuple(name for stage in stages for name in stage.restart),
            reloaded=tuple(name for stage in stages for name in stage.reload),
            started=tuple(name for stage in stages for name in stage.start),
            stopped=plan.stop,
        )

    @property
    def empty(self) -> bool:
        """Whether nothing was changed on the node."""
        units = (self.enabled, self.restarted, self.reloaded, self.started, self.stopped)
        return not any((self.changed, self.removed, self.commands, *units))

    def __str__(self) -> str:
        files = len(self.changed) + len(self.removed)
        parts = [f"{files} file{'s' * (files != 1)} changed"] if files else []
        for verb in ("restarted", "reloaded", "started", "stopped"):
            units: tuple[str, ...] = getattr(self, verb)
            if units:
                parts.append(f"{verb} {', '.join(units)}")
        if not parts and not self.empty:
            parts = [f"enabled {', '.join(self.enabled)}" if self.enabled else "commands run"]
        return "; ".join(parts) or "nothing to do"


@dataclass(frozen=True, slots=True)
class ProvisionOutcome:
    """What a run did, node by node."""

    nodes: Mapping[str, NodeOutcome]

    @property
    def empty(self) -> bool:
        """Whether nothing was changed on any node."""
        return all(node.empty for node in self.nodes.values())
