"""All drills by name, in the order in which 'all' runs them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from labctl.core.errors import UsageError
from labctl.drills.bridges import BRIDGE_DRILLS, FAILOVER
from labctl.drills.media import MEDIA_DRILLS
from labctl.drills.model import Drill
from labctl.drills.outages import OUTAGE_DRILLS
from labctl.drills.servers import SERVER_DRILLS
from labctl.drills.vnodes import VNODE_DRILLS

DRILLS: tuple[Drill, ...] = (
    *BRIDGE_DRILLS,
    *MEDIA_DRILLS,
    *OUTAGE_DRILLS,
    *SERVER_DRILLS,
    *VNODE_DRILLS,
)
ALL = "all"


def want_drills(names: Sequence[str]) -> tuple[Drill, ...]:
    """The drills of these names, once each; 'all' is every one, none is the how-to's.

    Errors: UsageError for a name that no drill has.
    """
    if not names:
        return (FAILOVER,)
    if ALL in names:
        return DRILLS
    known = {drill.name: drill for drill in DRILLS}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            raise UsageError(
                f"There is no drill '{name}'.{meant}",
                hint=f"The drills are {', '.join(known)}; 'all' runs every one.",
            )
    return tuple(known[name] for name in dict.fromkeys(names))
