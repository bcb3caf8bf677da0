"""Drills on bridges: stopped, killed, hung, cut off, squeezed.

What upstream does was seen with the original packages (Jicofo 7ebb13d, JVB a29d97d of August
2026, Prosody 13.0.6) unless a drill says otherwise.
"""

from __future__ import annotations

from labctl.drills.faults import Hang, Kill, Partition, Squeeze, Start, Stop, Undo, Way
from labctl.drills.model import (
    Act,
    Drill,
    Expectation,
    Mark,
    Need,
    Probe,
    Try,
    Verdict,
    Where,
    Who,
)

# Bounds are the originals' times with room for a busy machine; a stand-in has the same mechanism.
TERMINATED = Expectation(
    "the call's participants get session-terminate at once (0.2 s)",
    Who.CALL, Mark.TERMINATED, within=4.0,
)  # fmt: skip
MOVED = Expectation(
    "they are invited to another bridge (1.4-1.8 s)", Who.CALL, Mark.REINVITED, within=8.0
)
STREAMS_STAY = Expectation("nobody's stream ends", Who.CALL, Mark.LOST, within=None)
NEW_CALLS = Expectation("new calls work", Who.NEWCOMERS, Mark.NEWCOMER_IN, within=15.0)
OTHERS_STAY = Expectation(
    "calls on other bridges notice nothing", Who.OTHERS, Mark.TERMINATED, within=None
)
NOT_MOVED = (
    Expectation(
        "the running call is not moved", Who.CALL, Mark.REINVITED,
        within=None, otherwise=Verdict.BETTER,
    ),
    Expectation(
        "its participants are told nothing", Who.CALL, Mark.TERMINATED,
        within=None, otherwise=Verdict.BETTER,
    ),
)  # fmt: skip
HEALTH = (
    Expectation(
        "the first health check times out after about 20 s", Who.HIT, Mark.HEALTH_RETRY,
        within=32.0, earliest=8.0,
    ),
    Expectation(
        "the second fails it after about 40 s", Who.HIT, Mark.HEALTH_FAILED,
        within=52.0, earliest=20.0,
    ),
    Expectation(
        "it then counts as not operational", Who.JICOFO, Mark.FEWER, within=54.0, earliest=20.0
    ),
)  # fmt: skip
STAYS_IN_BREWERY = Expectation(
    "it never leaves the brewery", Who.HIT, Mark.BRIDGE_LOST,
    within=None, otherwise=Verdict.BETTER,
)  # fmt: skip


def back(seconds: float, says: str) -> Expectation:
    """All bridges are operational again, so many seconds after the fault ended."""
    return Expectation(says, Who.JICOFO, Mark.ALL_BACK, within=seconds)


FAILOVER = Drill(
    name="failover",
    title="The failover check of the how-to",
    fault="the JMS's own bridge is stopped, then all bridges, then one is started",
    undone="all bridges are started",
    watched="a call on the JMS's bridge, calls on others, new calls, Jicofo's bridge count",
    upstream="calls move within 2 s; without bridges they end but the conference stays; with one "
    "bridge back it is restarted after 4 s",
    place=Where.OWN,
    needs=(Need.TWO_BRIDGES,),
    budget=75,
    acts=(
        Act(
            Stop(),
            Where.OWN,
            (TERMINATED, MOVED, STREAMS_STAY, OTHERS_STAY, NEW_CALLS),
            tries=(Try(Probe.NEW_CALL, 2.5),),
        ),
        Act(
            Stop(),
            Where.ALL,
            (
                Expectation("the call ends", Who.CALL, Mark.TERMINATED, within=6.0),
                Expectation(
                    "nobody is invited any more", Who.CALL, Mark.REINVITED,
                    within=None, earliest=3.0,
                ),
                Expectation("Jicofo has no bridge", Who.JICOFO, Mark.NONE_LEFT, within=6.0),
                Expectation(
                    "a new call gets no bridge", Who.NEWCOMERS, Mark.NEWCOMER_OUT, within=20.0
                ),
                STREAMS_STAY,
            ),
            tries=(Try(Probe.NEW_CALL, 3.0),),
        ),
        Act(
            Start(),
            Where.OWN,
            (
                Expectation(
                    "the call is restarted by itself (4.1 s)", Who.CALL, Mark.REINVITED,
                    within=12.0,
                ),
                STREAMS_STAY,
            ),
        ),
    ),
)  # fmt: skip

STOPPED = Drill(
    name="bridge-stop",
    title="The bridge in use is stopped",
    fault="systemctl stop on the bridge of a call of three",
    undone="systemctl start",
    watched="the call, calls on other bridges, new calls",
    upstream="session-terminate after 0.2 s, session-initiate to another bridge after 1.4-1.8 s",
    needs=(Need.TWO_BRIDGES,),
    budget=45,
    acts=(
        Act(
            Stop(),
            Where.IN_USE,
            (
                TERMINATED,
                MOVED,
                STREAMS_STAY,
                OTHERS_STAY,
                Expectation("Jicofo loses it at once", Who.HIT, Mark.BRIDGE_LOST, within=4.0),
            ),
        ),
        Act(
            Start(),
            Where.IN_USE,
            (
                Expectation(
                    "it is back in the brewery (2.6 s)", Who.HIT, Mark.BRIDGE_ADDED, within=10.0
                ),
                Expectation(
                    "the call stays where it is", Who.CALL, Mark.TERMINATED, within=None
                ),
            ),
        ),
    ),
)  # fmt: skip

LAST = Drill(
    name="bridge-last",
    title="The last bridge is stopped, then started",
    fault="all idle bridges are stopped, then the one in use",
    undone="systemctl start on all",
    watched="the call, Jicofo's bridge count",
    upstream="session-terminate after 0.2 s and nothing more; the conference and its participants "
    "stay; session-initiate 4.1 s after the start of a bridge",
    budget=60,
    acts=(
        Act(Stop(), Where.OTHERS, (STREAMS_STAY,), quiet=1.5),
        Act(
            Stop(),
            Where.IN_USE,
            (
                TERMINATED,
                Expectation("nothing follows", Who.CALL, Mark.REINVITED, within=None),
                Expectation("Jicofo has no bridge", Who.JICOFO, Mark.NONE_LEFT, within=5.0),
                STREAMS_STAY,
            ),
            quiet=5.0,
        ),
        Act(
            Start(),
            Where.IN_USE,
            (
                Expectation(
                    "it is back in the brewery (2.6 s)", Who.HIT, Mark.BRIDGE_ADDED, within=10.0
                ),
                Expectation(
                    "the call is restarted by itself (4.1 s)", Who.CALL, Mark.REINVITED,
                    within=12.0,
                ),
                STREAMS_STAY,
            ),
        ),
    ),
)  # fmt: skip

KILLED = Drill(
    name="bridge-kill",
    title="The bridge in use is killed and stays away",
    fault="SIGKILL, the unit's restart policy switched off",
    undone="the policy is as packaged again, systemctl start",
    watched="the call",
    upstream="nothing for 15 s; session-terminate at 16.3 s, session-initiate at 17.8 s",
    weakness="Nobody notices a killed bridge for 15 s: Prosody keeps the dead session so long "
    "(stream management), and Jicofo only looks at the room.",
    needs=(Need.TWO_BRIDGES,),
    budget=60,
    acts=(
        Act(
            Kill(comes_back=False),
            Where.IN_USE,
            (
                Expectation(
                    "session-terminate only after Prosody's 15 s", Who.CALL, Mark.TERMINATED,
                    within=22.0, earliest=10.0,
                ),
                Expectation(
                    "then another bridge (17.8 s)", Who.CALL, Mark.REINVITED,
                    within=26.0, earliest=10.0,
                ),
                STREAMS_STAY,
                OTHERS_STAY,
            ),
        ),
    ),
)  # fmt: skip

KILLED_RESTARTED = Drill(
    name="bridge-kill-restart",
    title="The bridge in use is killed and systemd restarts it",
    fault="SIGKILL; the packaged unit restarts it after 2 s",
    undone="nothing is left to undo; systemctl start to be sure",
    watched="the call, for 30 s",
    upstream="the new process joins under the same nick after 4.5 s, before the old session is "
    "gone; Jicofo sees no leave, and participants are told nothing, ever (40 s watched)",
    weakness="A bridge that is killed and restarted takes its calls with it silently: the "
    "conference stays on a bridge that has forgotten it, until each client's own ICE fails.",
    budget=75,
    acts=(
        Act(
            Kill(comes_back=True),
            Where.IN_USE,
            (
                Expectation(
                    "Jicofo never sees it leave", Who.HIT, Mark.BRIDGE_LOST,
                    within=None, otherwise=Verdict.BETTER,
                ),
                *NOT_MOVED,
                STREAMS_STAY,
            ),
            quiet=30.0,
        ),
    ),
)  # fmt: skip

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

BRIDGE_DRILLS = (
    STOPPED,
    LAST,
    KILLED,
    KILLED_RESTARTED,
    HUNG,
    CUT_OFF,
    CUT_OFF_IDLE,
    CUT_OFF_ONE_WAY,
    SQUEEZED,
)
