"""Drills on bridges that are there and do not work: hung, cut off, squeezed.

What upstream does was seen with the original packages (Jicofo 7ebb13d, JVB a29d97d of August
2026, Prosody 13.0.6) unless a drill says otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from labctl.drills.expect import (
    BACK_SOON,
    CALL_STAYS,
    HEALTH,
    MOVED,
    NO_SOUND,
    NOT_MOVED,
    SOUND_STAYS,
    STAYS_IN_BREWERY,
    STREAMS_STAY,
    TERMINATED,
    back,
    ended,
    sound_again,
    unnoticed,
)
from labctl.drills.faults import Hang, Partition, Squeeze, Way
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
    budget=170,
    acts=(
        replace(
            unnoticed(
                Hang(),
                *HEALTH,
                *NOT_MOVED,
                *NO_SOUND,
                Expectation("new calls avoid it", Who.NEWCOMERS, Mark.NEWCOMER_IN, within=65.0),
            ),
            tries=(Try(Probe.NEW_CALL, 30.0, late=True),),
            quiet=2.0,
        ),
        ended(Hang(), back(90.0, "it counts again at a good check, a minute after the failed one")),
    ),
)


NOT_MOVED_AWAY = (
    "A call on a bridge that is cut off is not moved, although others are free: the dead bridge "
    "stays in the brewery."
)
RULES = "nftables drop the packets of the bridge's node, {}; ssh from this machine stays"

CUT_OFF = Drill(
    name="partition-in-use",
    title="The bridge in use is cut off",
    fault=RULES.format(Way.BOTH),
    undone="the rules are removed",
    watched="the call, Jicofo's health checks",
    upstream="participants are told nothing for 240 s; health checks fail at 36-40 s; the bridge "
    "never leaves the brewery; after healing TCP's back-off decides when it counts again",
    weakness=NOT_MOVED_AWAY,
    needs=(Need.FAR_BRIDGE, Need.TWO_BRIDGES),
    budget=200,
    acts=(
        replace(
            unnoticed(Partition(), *HEALTH, *NOT_MOVED, *NO_SOUND, STAYS_IN_BREWERY), quiet=2.0
        ),
        ended(Partition(), back(110.0, "it counts again some time after healing")),
    ),
)

CUT_OFF_IDLE = Drill(
    name="partition-idle",
    title="An idle bridge is cut off",
    fault=RULES.format(Way.BOTH),
    undone="the rules are removed",
    watched="a call on another bridge, Jicofo's health checks",
    upstream="health checks time out at 20 s and 40 s; it never leaves the brewery within 110 s; "
    "operational within 60 s after healing",
    weakness="For 40 s new calls may be sent to a bridge that is cut off: Jicofo learns of it by "
    "its health checks only.",
    place=Where.OWN,
    needs=(Need.FAR_BRIDGE, Need.TWO_BRIDGES),
    budget=160,
    acts=(
        Act(
            Partition(),
            Where.IDLE,
            (*HEALTH, STAYS_IN_BREWERY, CALL_STAYS, SOUND_STAYS, STREAMS_STAY),
            quiet=2.0,
        ),
        ended(
            Partition(),
            back(75.0, "it is operational again within about a minute"),
            where=Where.IDLE,
        ),
    ),
)

CUT_OFF_ONE_WAY = Drill(
    name="partition-one-way",
    title="The bridge in use hears but is not heard",
    fault=RULES.format(Way.OUT),
    undone="the rules are removed after the first health check that timed out",
    watched="the call, Jicofo's health checks",
    upstream="not seen with the originals; the same is expected as for a cut both ways, because a "
    "health check needs both; mended before the second one, the bridge stays operational",
    weakness=NOT_MOVED_AWAY,
    needs=(Need.FAR_BRIDGE, Need.TWO_BRIDGES),
    budget=150,
    acts=(
        replace(
            unnoticed(Partition(Way.OUT), HEALTH[0], *NOT_MOVED, *NO_SOUND, STAYS_IN_BREWERY),
            quiet=1.0,
        ),
        replace(
            ended(
                Partition(Way.OUT),
                Expectation("it stays operational", Who.JICOFO, Mark.FEWER, within=None),
                CALL_STAYS,
                STREAMS_STAY,
                sound_again(15.0, "and its call has sound again"),
            ),
            quiet=22.0,
        ),
    ),
)

MACHINE_LOST = Drill(
    name="machine-lost",
    title="A machine with the bridge in use is lost",
    fault=f"{RULES.format(Way.BOTH)}, for every node of the machine",
    undone="the rules are removed",
    watched="the call, Jicofo's health checks",
    upstream="not seen with the originals; every bridge of the machine is expected to be as one"
    " that is cut off: participants are told nothing, health checks fail at 36-40 s",
    weakness=NOT_MOVED_AWAY,
    needs=(Need.FAR_MACHINE, Need.TWO_BRIDGES),
    place=Where.MACHINE,
    budget=220,
    acts=(
        Act(
            Partition(),
            Where.MACHINE,
            (*HEALTH, *NOT_MOVED, *NO_SOUND, STAYS_IN_BREWERY, STREAMS_STAY),
            quiet=2.0,
        ),
        ended(
            Partition(),
            back(110.0, "its bridges count again some time after healing"),
            where=Where.MACHINE,
        ),
    ),
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
        replace(
            unnoticed(
                Squeeze(),
                TERMINATED,
                MOVED,
                *BACK_SOON,
                Expectation(
                    "it does not come back under that limit", Who.HIT, Mark.BRIDGE_ADDED,
                    within=None,
                ),
            ),
            quiet=5.0,
        ),
        ended(
            Squeeze(),
            Expectation(
                "it is back in the brewery with its memory", Who.HIT, Mark.BRIDGE_ADDED,
                within=20.0,
            ),
            SOUND_STAYS,
        ),
    ),
)  # fmt: skip

OUTAGE_DRILLS = (HUNG, CUT_OFF, CUT_OFF_IDLE, CUT_OFF_ONE_WAY, MACHINE_LOST, SQUEEZED)
