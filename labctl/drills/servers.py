"""Drills on the servers and the machines below them: Prosody, Jicofo, vnodes, nginx, disk, clock.

What upstream does was seen with the original packages (August 2026) unless a drill says
otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from labctl.drills.expect import CALL_STAYS, OTHERS_STAY, STREAMS_STAY
from labctl.drills.faults import ClockOff, CutPorts, FillLogDisk, Restart, Start, Stop, Undo
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

ALL_LOST = Expectation("all streams are closed", Who.CALL, Mark.LOST, within=5.0)
NEW_CALL = Expectation("a new call works", Who.NEWCOMERS, Mark.NEWCOMER_IN, within=12.0)
NEW_CALL_AFTER_RESTART = replace(NEW_CALL, within=25.0)
BRIDGES_JOIN = "every bridge is in the brewery again"

PROSODY_IDLE = Drill(
    name="prosody-restart",
    title="Prosody is restarted, nobody is in a call",
    fault="systemctl restart prosody on the JMS",
    undone="systemctl start, where it does not run",
    watched="Jicofo and the bridges, then a new call",
    upstream="no operational bridge at 1.8 s, all back at 3.0 s",
    place=None,
    budget=60,
    acts=(
        Act(
            Restart(),
            Where.PROSODY,
            (
                Expectation("Jicofo is back (2-3 s)", Who.JICOFO, Mark.REGISTERED, within=15.0),
                Expectation(BRIDGES_JOIN, Who.BRIDGES, Mark.BRIDGE_ADDED, within=18.0),
                NEW_CALL_AFTER_RESTART,
            ),
            tries=(Try(Probe.NEW_CALL, 2.0, late=True),),
        ),
    ),
)

PROSODY_IN_USE = Drill(
    name="prosody-restart-in-use",
    title="Prosody is restarted during a call",
    fault="systemctl restart prosody on the JMS",
    undone="systemctl start, where it does not run",
    watched="the call, Jicofo and the bridges",
    upstream="all streams are closed and participants must rejoin; Jicofo ends the conference "
    "('Reconnected without resuming, give up and stop.') and leaves its rooms only after 15 s, so "
    "the brewery is empty for more than 20 s.  When Prosody happens to close the participants' "
    "streams before Jicofo's, Jicofo sees everybody leave and is back at once",
    weakness="With a call running, a restart of Prosody costs more than 20 s without any bridge: "
    "Jicofo first waits 15 s for rooms that are gone.",
    budget=90,
    acts=(
        Act(
            Restart(),
            Where.PROSODY,
            (
                ALL_LOST,
                Expectation("Jicofo ends the call", Who.JICOFO, Mark.ENDED, within=12.0),
                Expectation(BRIDGES_JOIN, Who.BRIDGES, Mark.BRIDGE_ADDED, within=45.0),
                Expectation(
                    "but only after more than 15 s, when Jicofo gave a call up", Who.BRIDGES,
                    Mark.BRIDGE_ADDED, within=45.0, earliest=12.0, only_if=Mark.GAVE_UP,
                ),
            ),
        ),
    ),
)  # fmt: skip

JICOFO = Drill(
    name="jicofo-restart",
    title="Jicofo is restarted",
    fault="systemctl restart jicofo, nobody is in a call",
    undone="systemctl start, where it does not run",
    watched="the brewery, then a new call",
    upstream="brewery rejoined and all bridges back 2.6 s after the restart began",
    place=None,
    budget=60,
    acts=(
        Act(
            Restart(),
            Where.JICOFO,
            (
                Expectation(BRIDGES_JOIN + " (2.6 s)", Who.BRIDGES, Mark.BRIDGE_ADDED, within=15.0),
                Expectation("a new call works", Who.NEWCOMERS, Mark.NEWCOMER_IN, within=20.0),
            ),
            tries=(Try(Probe.NEW_CALL, 2.0, late=True),),
        ),
    ),
)

VNODE = Drill(
    name="vnode-stop",
    title="A vnode with visitors is stopped, then started",
    fault="systemctl stop on the vnode that two visitors of a call are on",
    undone="systemctl start",
    watched="the visitors, the main participants, later visitors, Jicofo's connection",
    upstream="visitors' streams are closed at once; every later visitor of that call is still "
    "sent to the dead vnode (40 s watched) and gets HTTP 502; Jicofo reconnects every 2 s and is "
    "registered 2.2 s after the start",
    weakness="Jicofo goes on sending visitors to a vnode that is dead, with a healthy one idle "
    "beside it; nginx answers them with HTTP 502.",
    people=2,
    visitors=2,
    needs=(Need.VNODE, Need.TWO_VNODES),
    budget=75,
    acts=(
        Act(
            Stop(),
            Where.VNODE,
            (
                Expectation("the visitors' streams end", Who.VISITORS, Mark.LOST, within=10.0),
                Expectation("main participants stay", Who.CALL, Mark.LOST, within=None),
                Expectation("Jicofo tries again", Who.HIT, Mark.RECONNECTING, within=15.0),
                Expectation(
                    "later visitors are sent to the dead vnode", Who.NEWCOMERS, Mark.NEWCOMER_IN,
                    within=None, otherwise=Verdict.BETTER,
                ),
                Expectation(
                    "and turned away there", Who.NEWCOMERS, Mark.NEWCOMER_OUT,
                    within=40.0, otherwise=Verdict.BETTER,
                ),
            ),
            tries=(
                Try(Probe.VISITOR, 8.0), Try(Probe.VISITOR, 13.0), Try(Probe.VISITOR, 18.0),
            ),
        ),
        Act(
            Start(),
            Where.VNODE,
            (
                Expectation("Jicofo is back (2.2 s)", Who.HIT, Mark.REGISTERED, within=10.0),
            ),
            # Told, not judged: nobody has seen with the originals whether that call's visitors
            # can come back.
            tries=(Try(Probe.VISITOR, 1.0, late=True),),
        ),
    ),
)  # fmt: skip

S2S = Drill(
    name="s2s-cut",
    title="The link between the JMS and a vnode is cut",
    fault="nftables drop the server-to-server packets of the vnode, both ways",
    undone="the rules are removed",
    watched="visitors: their streams, and what is said in the main room",
    upstream="not seen with the originals' plugins; Prosody itself (13.0.6) holds what it cannot "
    "send, and TCP delivers it when the link is back",
    people=2,
    visitors=2,
    needs=(Need.VNODE,),
    budget=75,
    acts=(
        Act(
            CutPorts(),
            Where.VNODE,
            (
                Expectation(
                    "visitors hear nothing from the main room", Who.VISITORS, Mark.HEARD,
                    within=None,
                ),
                Expectation("visitors' streams stay", Who.VISITORS, Mark.LOST, within=None),
                STREAMS_STAY,
            ),
            tries=(Try(Probe.SAY, 0.5),),
            quiet=8.0,
        ),
        Act(
            Undo(CutPorts()),
            Where.VNODE,
            (
                Expectation(
                    "they hear what was said meanwhile", Who.VISITORS, Mark.HEARD, within=30.0
                ),
                Expectation("visitors' streams stay", Who.VISITORS, Mark.LOST, within=None),
            ),
        ),
    ),
)  # fmt: skip

NGINX = Drill(
    name="nginx-restart",
    title="nginx is restarted during a call",
    fault="systemctl restart nginx on the JMS",
    undone="systemctl start, where it does not run",
    watched="the call, a new call",
    upstream="not seen with the originals; nginx is the real one and carries every participant's "
    "WebSocket: all are closed when it gives up waiting for them, after 5 s (Debian's unit)",
    budget=60,
    acts=(
        Act(
            Restart(),
            Where.NGINX,
            (
                Expectation(
                    "all streams are closed, after nginx's own 5 s at most",
                    Who.CALL,
                    Mark.LOST,
                    within=12.0,
                ),
                NEW_CALL_AFTER_RESTART,
            ),
            tries=(Try(Probe.NEW_CALL, 1.0, late=True),),
        ),
    ),
)

DISK = Drill(
    name="disk-full",
    title="The disk of Prosody's logs is full",
    fault="a full file system of 256 KiB over Prosody's log folder on the JMS, logs reopened",
    undone="it is unmounted, logs reopened",
    watched="the call, a new call",
    upstream="not seen with the originals; Prosody is the real one: it goes on without its log",
    budget=60,
    acts=(
        Act(
            FillLogDisk(),
            Where.PROSODY,
            (STREAMS_STAY, OTHERS_STAY, NEW_CALL),
            tries=(Try(Probe.NEW_CALL, 1.5),),
            quiet=3.0,
        ),
    ),
)

CLOCK = Drill(
    name="clock",
    title="The clock of a bridge is ten minutes off",
    fault="the clock of the node of the bridge in use is set ten minutes ahead",
    undone="the clock is set by the time since boot",
    watched="the call, a new call",
    upstream="not seen with the originals; timers are monotonic, so nobody should notice",
    needs=(Need.OWN_CLOCK, Need.FAR_BRIDGE),
    budget=75,
    acts=(
        Act(
            ClockOff(),
            Where.IN_USE,
            (
                STREAMS_STAY,
                CALL_STAYS,
                NEW_CALL,
            ),
            tries=(Try(Probe.NEW_CALL, 2.0),),
            quiet=15.0,
        ),
    ),
)

SERVER_DRILLS = (
    PROSODY_IDLE,
    PROSODY_IN_USE,
    JICOFO,
    VNODE,
    S2S,
    NGINX,
    DISK,
    CLOCK,
)
