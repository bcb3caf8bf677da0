"""What every conference shares: configuration, connections, bridges, counters."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from authority import Authority
from jicofoconfig import JicofoConfig
from jitsilog import Journal
from participant import FeatureCache
from selector import BridgeSelector
from services import Connection, VisitorsManager

VERSION = "1.0.0-standin1"


@dataclass(slots=True)
class Counters:
    """Totals since start, for `/stats` and `/metrics`."""

    conferences: int = 0
    participants: int = 0
    requests: int = 0
    new_requests: int = 0
    moved: int = 0
    bridges_removed: int = 0
    ice_failed: int = 0
    restarts: int = 0
    sent: dict[str, int] = field(default_factory=dict)
    received: dict[str, int] = field(default_factory=dict)

    def count(self, table: dict[str, int], action: str) -> None:
        """One more Jingle IQ, under upstream's name of the action."""
        name = action.upper().replace("-", "_")
        table[name] = table.get(name, 0) + 1


@dataclass(slots=True)
class Context:
    """Shared by all conferences."""

    config: JicofoConfig
    journal: Journal
    main: Connection
    vnodes: Mapping[str, Connection]
    visitors: VisitorsManager
    selector: BridgeSelector
    authority: Authority
    features: FeatureCache = field(default_factory=FeatureCache)
    counters: Counters = field(default_factory=Counters)
    chooser: random.Random = field(default_factory=random.Random)
    version: str = VERSION
    leaving: set[asyncio.Task[Any]] = field(default_factory=set)

    def track(self, work: Coroutine[Any, Any, None]) -> None:
        """Run the end of a conference; a reconnection waits for it before the brewery."""
        task = asyncio.get_running_loop().create_task(work)
        self.leaving.add(task)
        task.add_done_callback(self.leaving.discard)
