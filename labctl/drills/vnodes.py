"""Drills on vnodes and on their link to the JMS.

What upstream does was seen with the original packages (August 2026) unless a drill says
otherwise.
"""

from __future__ import annotations

from labctl.drills.expect import SOUND_STAYS, STREAMS_STAY, ended
from labctl.drills.faults import CutPorts, Start, Stop
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

VISITORS_HEAR = Expectation(
    "visitors hear the main participants all the time", Who.VISITORS, Mark.SOUND_GONE,
    within=None,
)  # fmt: skip

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
                SOUND_STAYS,
                Expectation("Jicofo tries again", Who.HIT, Mark.RECONNECTING, within=15.0),
                Expectation(
                    "later visitors are sent to the dead vnode", Who.NEWCOMERS, Mark.NEWCOMER_IN,
                    within=None, otherwise=DrillVerdict.BETTER,
                ),
                Expectation(
                    "and turned away there", Who.NEWCOMERS, Mark.NEWCOMER_OUT,
                    within=40.0, otherwise=DrillVerdict.BETTER,
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
                VISITORS_HEAR,
                SOUND_STAYS,
                STREAMS_STAY,
            ),
            tries=(Try(Probe.SAY, 0.5),),
            quiet=8.0,
        ),
        ended(
            CutPorts(),
            Expectation("they hear what was said meanwhile", Who.VISITORS, Mark.HEARD, within=30.0),
            Expectation("visitors' streams stay", Who.VISITORS, Mark.LOST, within=None),
            VISITORS_HEAR,
            where=Where.VNODE,
        ),
    ),
)  # fmt: skip

VNODE_DRILLS = (VNODE, S2S)
