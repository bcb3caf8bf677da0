"""Drills on bridges that go and come: stopped, started, killed.

What upstream does was seen with the original packages (Jicofo 7ebb13d, JVB a29d97d of August
2026, Prosody 13.0.6) unless a drill says otherwise.
"""

from __future__ import annotations

from labctl.drills.expect import (
    CALL_STAYS,
    IN_BREWERY_AGAIN,
    MOVED,
    NEW_CALLS,
    NOT_MOVED,
    OTHERS_STAY,
    RESTARTED_ALONE,
    STREAMS_STAY,
    TERMINATED,
)
from labctl.drills.faults import Kill, Start, Stop
from labctl.drills.model import Act, Drill, Expectation, Mark, Need, Probe, Try, Verdict, Where, Who

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
        Act(Start(), Where.OWN, (RESTARTED_ALONE, STREAMS_STAY)),
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
        Act(Start(), Where.IN_USE, (IN_BREWERY_AGAIN, CALL_STAYS)),
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
        Act(Start(), Where.IN_USE, (IN_BREWERY_AGAIN, RESTARTED_ALONE, STREAMS_STAY)),
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

BRIDGE_DRILLS = (FAILOVER, STOPPED, LAST, KILLED, KILLED_RESTARTED)
