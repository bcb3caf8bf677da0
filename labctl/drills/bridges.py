"""Drills on bridges that go and come: stopped, started, killed.

What upstream does was seen with the original packages (Jicofo 7ebb13d, JVB a29d97d of August
2026, Prosody 13.0.6) unless a drill says otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from labctl.drills.expect import (
    AFTER_JOIN,
    BACK_SOON,
    CALL_STAYS,
    IN_BREWERY_AGAIN,
    MOVED,
    NEW_CALLS,
    NO_SOUND,
    NOT_MOVED,
    OTHERS_STAY,
    RESTARTED_ALONE,
    SOUND_STAYS,
    STREAMS_STAY,
    TERMINATED,
    unnoticed,
)
from labctl.drills.faults import Kill, Start, Stop
from labctl.drills.model import (
    Act,
    Drill,
    Expectation,
    Mark,
    Need,
    Probe,
    RaceOutcome,
    Try,
    Where,
    Who,
)
from labctl.report.drill import DrillVerdict

NO_BRIDGE = (
    Expectation("Jicofo has no bridge", Who.JICOFO, Mark.NONE_LEFT, within=6.0),
    # A call may be on its way to a bridge that is the next to be stopped.
    Expectation("and nobody's sound returns", Who.CALL, Mark.SOUND_BACK, within=None, earliest=5.0),
    STREAMS_STAY,
)
BRIDGE_BACK = Act(
    Start(), Where.IN_USE, (IN_BREWERY_AGAIN, RESTARTED_ALONE, *AFTER_JOIN, STREAMS_STAY)
)
LOSES_IT = Expectation(
    "Jicofo loses it when Prosody drops its session (15 s)", Who.HIT, Mark.BRIDGE_LOST,
    within=22.0, earliest=10.0,
)  # fmt: skip
DROPPED = (
    Expectation(
        "session-terminate only after Prosody's 15 s", Who.CALL, Mark.TERMINATED,
        within=22.0, earliest=10.0,
    ),
    Expectation(
        "then another bridge (1.5 s after Jicofo lost it)", Who.CALL, Mark.REINVITED,
        within=10.0, cause=Mark.BRIDGE_LOST,
    ),
    Expectation(
        "and with it sound", Who.CALL, Mark.SOUND_BACK,
        within=20.0, cause=Mark.BRIDGE_LOST, only_if=Mark.SOUND_STOPPED,
    ),
)  # fmt: skip
"""A bridge that is killed and stays away."""

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
            (TERMINATED, MOVED, *BACK_SOON, STREAMS_STAY, *OTHERS_STAY, NEW_CALLS),
            tries=(Try(Probe.NEW_CALL, 2.5),),
        ),
        Act(
            Stop(),
            Where.ALL,
            (
                Expectation("the call ends", Who.CALL, Mark.TERMINATED, within=6.0),
                Expectation(
                    "nobody is invited now", Who.CALL, Mark.REINVITED,
                    within=None, earliest=3.0,
                ),
                Expectation(
                    "a new call gets no bridge", Who.NEWCOMERS, Mark.NEWCOMER_OUT, within=20.0
                ),
                *NO_BRIDGE,
            ),
            tries=(Try(Probe.NEW_CALL, 3.0),),
        ),
        replace(BRIDGE_BACK, where=Where.OWN),
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
        unnoticed(
            Stop(),
            TERMINATED,
            MOVED,
            *BACK_SOON,
            Expectation("Jicofo loses it at once", Who.HIT, Mark.BRIDGE_LOST, within=4.0),
        ),
        Act(Start(), Where.IN_USE, (IN_BREWERY_AGAIN, CALL_STAYS, SOUND_STAYS)),
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
                *NO_BRIDGE,
            ),
            quiet=5.0,
        ),
        BRIDGE_BACK,
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
    "(stream management), and Jicofo only watches the room.",
    needs=(Need.TWO_BRIDGES,),
    budget=60,
    acts=(unnoticed(Kill(comes_back=False), LOSES_IT, *DROPPED),),
)

TWO_KILLED = Drill(
    name="two-bridges",
    title="Two bridges die at once",
    fault="SIGKILL of the bridge in use and of another one, restart policies switched off",
    undone=KILLED.undone,
    watched="the call, Jicofo's bridge count",
    upstream="not seen with the originals; expected as for one bridge, because Prosody drops both "
    "after its 15 s: the call goes to a bridge that is left, by way of the other dead one at worst",
    weakness=KILLED.weakness,
    needs=(Need.THREE_BRIDGES,),
    budget=100,
    acts=(
        Act(
            Kill(comes_back=False),
            Where.PAIR,
            (
                DROPPED[0],
                *(replace(each, within=40.0) for each in DROPPED[1:]),
                Expectation("Jicofo loses both", Who.HIT, Mark.BRIDGE_LOST, within=22.0),
                STREAMS_STAY,
            ),
        ),
    ),
)

KILLED_RESTARTED = Drill(
    name="bridge-kill-restart",
    title="The bridge in use is killed and systemd restarts it",
    fault="SIGKILL; the packaged unit restarts it after 2 s",
    undone="nothing is left to undo; systemctl start to be sure",
    watched="the call, for 30 s",
    upstream="a race: mostly the new process joins under the same nick (4.5 s) before Prosody "
    "drops the old session; Jicofo sees no leave, and participants are told nothing, ever (40 s "
    "watched).  Where Java has so little CPU that it joins later (21 s), Prosody has dropped the "
    "session after 16 s, and the call is then terminated and invited again",
    weakness="A bridge that is killed and restarted takes its calls with it silently: the "
    "conference stays on a bridge that has forgotten it, until each client's own ICE fails.",
    budget=95,
    acts=(
        Act(
            Kill(comes_back=True),
            Where.IN_USE,
            (STREAMS_STAY,),
            quiet=30.0,
            outcomes=(
                RaceOutcome(
                    "it joins before Prosody drops the old session, and the call is forgotten",
                    Mark.JOINED,
                    (
                        Expectation(
                            "Jicofo never sees it leave", Who.HIT, Mark.BRIDGE_LOST,
                            within=None, otherwise=DrillVerdict.BETTER,
                        ),
                        *NOT_MOVED,
                        *NO_SOUND,
                    ),
                ),
                RaceOutcome(
                    "Prosody drops the old session before it joins, and the call goes on",
                    Mark.BRIDGE_LOST,
                    (
                        DROPPED[0],
                        Expectation(
                            "then a bridge again", Who.CALL, Mark.REINVITED,
                            within=20.0, cause=Mark.BRIDGE_LOST,
                        ),
                        DROPPED[2],
                    ),
                    weak=False,
                ),
            ),
        ),
    ),
)  # fmt: skip

BRIDGE_DRILLS = (FAILOVER, STOPPED, LAST, KILLED, KILLED_RESTARTED, TWO_KILLED)
