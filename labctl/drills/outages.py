"""Drills on bridges that are there and do not work: hung, cut off, squeezed.

What upstream does was seen with the original packages (Jicofo 7ebb13d, JVB a29d97d of August
2026, Prosody 13.0.6) unless a drill says otherwise.
"""

from __future__ import annotations

from labctl.drills.expect import (
    HEALTH,
    MOVED,
    NOT_MOVED,
    OTHERS_STAY,
    STAYS_IN_BREWERY,
    STREAMS_STAY,
    TERMINATED,
    back,
)
from labctl.drills.faults import Hang, Partition, Squeeze, Undo, Way
from labctl.drills.model import Act, Drill, Expectation, Mark, Need, Probe, Try, Where, Who

HUNG = Drill(
    name="bridge-hang",
    title="The bridge in use hangs",
    fault="SIGSTOP",
    undone="SIGCONT",
    watched="the call, a new call, Jicofo's health checks",
    upstream="health checks time out at 20 s and 40 s, then new calls avoid it; the running call "
    "is not moved (75 s watched); operational again at the next good check",
    weakness="A hung bridge keeps its calls: Jicofo takes it out for new ones after 40 s and does "
    "nothing for those that are on it.",
    needs=(Need.TWO_BRIDGES,),
    budget=150,
    acts=(
        Act(
            Hang(),
            Where.IN_USE,
            (
                *HEALTH,
                *NOT_MOVED,
                Expectation("new calls avoid it", Who.NEWCOMERS, Mark.NEWCOMER_IN, within=60.0),
                STREAMS_STAY,
                OTHERS_STAY,
            ),
            tries=(Try(Probe.NEW_CALL, 45.0),),
            quiet=2.0,
        ),
        Act(
            Undo(Hang()),
            Where.IN_USE,
            (back(75.0, "it counts again at the next good check"),),
        ),
    ),
)  # fmt: skip


def _partition(name: str, title: str, way: Way, *, where: Where, seen: str) -> Drill:
    idle = where is Where.IDLE
    return Drill(
        name=name,
        title=title,
        fault=f"nftables drop packets of the node, {way}; ssh from this machine stays",
        undone="the rules are removed",
        watched="the call, a new call, Jicofo's health checks",
        upstream=seen,
        weakness=None
        if idle
        else "A call on a bridge that is cut off is not moved, although others are free: the dead "
        "bridge stays in the brewery.",
        place=Where.OWN if idle else Where.IN_USE,
        needs=(Need.FAR_BRIDGE, Need.TWO_BRIDGES),
        budget=160,
        acts=(
            Act(
                Partition(way),
                where,
                (*HEALTH, *NOT_MOVED, STAYS_IN_BREWERY, STREAMS_STAY, OTHERS_STAY),
                quiet=3.0,
            ),
            Act(
                Undo(Partition(way)),
                where,
                (back(75.0, "it is operational again within about a minute"),),
            ),
        ),
    )


CUT_OFF = _partition(
    "partition-in-use",
    "The bridge in use is cut off",
    Way.BOTH,
    where=Where.IN_USE,
    seen="participants are told nothing for 240 s; health checks fail at 36-40 s; the bridge "
    "never leaves the brewery; after healing TCP's back-off decides when it counts again",
)
CUT_OFF_IDLE = _partition(
    "partition-idle",
    "An idle bridge is cut off",
    Way.BOTH,
    where=Where.IDLE,
    seen="health checks fail at 20 s and 40 s; it never leaves the brewery within 110 s; "
    "operational within 60 s after healing",
)
CUT_OFF_ONE_WAY = _partition(
    "partition-one-way",
    "The bridge in use hears but is not heard",
    Way.OUT,
    where=Where.IN_USE,
    seen="not seen with the originals; the same is expected as for a cut both ways, because "
    "health checks need both",
)

SQUEEZED = Drill(
    name="memory",
    title="The bridge in use runs out of memory",
    fault="its unit may use 12 MiB (systemd's MemoryMax) and is started under that",
    undone="the limit is lifted, systemctl start",
    watched="the call",
    upstream="not seen with the originals; expected as for a bridge that is stopped, because the "
    "kernel ends it at every start",
    needs=(Need.TWO_BRIDGES,),
    budget=60,
    acts=(
        Act(
            Squeeze(),
            Where.IN_USE,
            (
                TERMINATED,
                MOVED,
                STREAMS_STAY,
                OTHERS_STAY,
                Expectation(
                    "it does not come back under that limit", Who.HIT, Mark.BRIDGE_ADDED,
                    within=None,
                ),
            ),
            quiet=5.0,
        ),
        Act(
            Undo(Squeeze()),
            Where.IN_USE,
            (
                Expectation(
                    "it is back in the brewery with its memory", Who.HIT, Mark.BRIDGE_ADDED,
                    within=15.0,
                ),
            ),
        ),
    ),
)  # fmt: skip

OUTAGE_DRILLS = (HUNG, CUT_OFF, CUT_OFF_IDLE, CUT_OFF_ONE_WAY, SQUEEZED)
