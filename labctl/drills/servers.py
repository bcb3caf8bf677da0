"""Drills on the JMS and the machines: Prosody, Jicofo, nginx, disk, clock.

What upstream does was seen with the original packages (August 2026) unless a drill says
otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from labctl.drills.expect import CALL_STAYS, OTHERS_STAY, SOUND_STAYS, STREAMS_STAY, ended
from labctl.drills.faults import ClockOff, FillLogDisk, Kill, Restart
from labctl.drills.model import (
    Act,
    Drill,
    Expectation,
    Mark,
    Need,
    Probe,
    Try,
    Where,
    Who,
)
from labctl.report.drill import DrillVerdict
from labctl.topology.versions import Versions

ALL_LOST = Expectation("all streams are closed", Who.CALL, Mark.LOST, within=5.0)
NEW_CALL = Expectation("a new call works", Who.NEWCOMERS, Mark.NEWCOMER_IN, within=12.0)
NEW_CALL_AFTER_RESTART = replace(NEW_CALL, within=25.0)
BRIDGES_JOIN = "every bridge is in the brewery again"
JICOFO_STARTS = (
    Expectation(
        "Jicofo is back (2-3 s; 50 s where Java has little CPU)", Who.JICOFO, Mark.REGISTERED,
        within=75.0,
    ),
    Expectation(
        BRIDGES_JOIN, Who.BRIDGES, Mark.BRIDGE_ADDED, within=15.0, cause=Mark.REGISTERED
    ),
    Expectation(
        "a new call works", Who.NEWCOMERS, Mark.NEWCOMER_IN, within=35.0, cause=Mark.REGISTERED
    ),
)  # fmt: skip
BREWERY_RETRY = "1.0-1190"
"""The first Jicofo that tries again when it could not join the brewery (3 August 2026)."""

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
                Expectation(
                    BRIDGES_JOIN, Who.BRIDGES, Mark.BRIDGE_ADDED,
                    within=45.0, versions=Versions("jicofo", since=BREWERY_RETRY),
                ),
                Expectation(
                    f"{BRIDGES_JOIN}, unless Jicofo's one try to join it failed", Who.BRIDGES,
                    Mark.BRIDGE_ADDED, within=45.0, otherwise=DrillVerdict.EXPECTED,
                    versions=Versions("jicofo", until="1.0-1189"),
                ),
                Expectation(
                    "but only after more than 15 s, when Jicofo gave a call up", Who.BRIDGES,
                    Mark.BRIDGE_ADDED, within=45.0, earliest=12.0, only_if=Mark.GAVE_UP,
                ),
            ),
        ),
    ),
)  # fmt: skip

JICOFO_RESTARTED = Drill(
    name="jicofo-restart",
    title="Jicofo is restarted",
    fault="systemctl restart jicofo, nobody is in a call",
    undone="systemctl start, where it does not run",
    watched="the brewery, then a new call",
    upstream="brewery rejoined and all bridges back 2.6 s after the restart began",
    place=None,
    budget=130,
    acts=(
        Act(
            Restart(),
            Where.JICOFO,
            JICOFO_STARTS,
            tries=(Try(Probe.NEW_CALL, 2.0, late=True),),
        ),
    ),
)

JICOFO_KILLED = Drill(
    name="jicofo-kill",
    title="Jicofo is killed during a call",
    fault="SIGKILL; what restarts it is what its package says",
    undone="systemctl restart, where it does not run",
    watched="the call, new calls",
    upstream="its package has an init script and no unit of its own, so systemd restarts "
    "nothing and goes on calling it active; sound goes on, and a request for a conference is "
    "answered 'service-unavailable'",
    weakness="A Jicofo that was killed stays away until somebody restarts it: the package has no "
    "unit that would, and 'systemctl start' takes it for running.",
    budget=190,
    acts=(
        Act(
            Kill(comes_back=True),
            Where.JICOFO,
            (
                SOUND_STAYS,
                STREAMS_STAY,
                Expectation(
                    "nobody can start a call", Who.NEWCOMERS, Mark.NEWCOMER_OUT,
                    within=40.0, otherwise=DrillVerdict.BETTER,
                ),
                Expectation(
                    "nothing restarts it", Who.BRIDGES, Mark.BRIDGE_ADDED,
                    within=None, otherwise=DrillVerdict.BETTER,
                ),
            ),
            tries=(Try(Probe.NEW_CALL, 18.0),),
        ),
        replace(
            ended(
                Kill(comes_back=True),
                *JICOFO_STARTS,
                SOUND_STAYS,
                where=Where.JICOFO,
            ),
            tries=(Try(Probe.NEW_CALL, 2.0, late=True),),
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
            (STREAMS_STAY, *OTHERS_STAY, SOUND_STAYS, NEW_CALL),
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
                SOUND_STAYS,
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
    JICOFO_RESTARTED,
    JICOFO_KILLED,
    NGINX,
    DISK,
    CLOCK,
)
