"""Drills on the way of media: a closed port, loss, a wrong address, a bridge without CPU.

Signalling goes on as if nothing had happened; what participants hear says what did.  What upstream
does was seen with the original packages (docs/facts/observed-labs.md, 10) unless a drill says
otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from labctl.drills.expect import (
    AFTER_JOIN,
    BACK_SOON,
    CALL_STAYS,
    IN_BREWERY_AGAIN,
    MOVED,
    NO_SOUND,
    NOT_MOVED,
    OTHERS_STAY,
    RESTARTED_ALONE,
    SAY_WHY,
    SOUND_STAYS,
    STREAMS_STAY,
    TERMINATED,
    ended,
    sound_again,
    unnoticed,
)
from labctl.drills.faults import DropMedia, Lose, Slow, Stop, WrongAddress
from labctl.drills.model import Act, Drill, Expectation, Mark, Need, Where, Who
from labctl.report.drill import DrillVerdict

LOST = Expectation(
    "everybody misses packets of somebody's sound", Who.CALL, Mark.LOSSY, within=20.0
)
COUNTS = Expectation(
    "Jicofo goes on counting it as operational", Who.JICOFO, Mark.FEWER,
    within=None, otherwise=DrillVerdict.BETTER,
)  # fmt: skip

CLOSED = Drill(
    name="media-port",
    title="The media port of the bridge in use is closed",
    fault="nftables drop UDP 10000 of the bridge, both ways",
    undone="the rules are removed",
    watched="what the call hears, Jicofo's bridge count",
    upstream="sound stops at once and nobody is moved; neither Jicofo nor the bridge's health "
    "check looks at media, so it counts as operational; sound is back 0.2 s after the port is "
    "open",
    weakness="A bridge whose media port is closed keeps its calls and gets new ones: neither "
    "Jicofo nor its own health check looks at media.",
    needs=(Need.TWO_BRIDGES,),
    budget=75,
    acts=(
        replace(unnoticed(DropMedia(), *NO_SOUND, SAY_WHY, *NOT_MOVED, COUNTS), quiet=2.0),
        ended(
            DropMedia(),
            sound_again(10.0, "once it is open the call has sound again, by itself"),
            CALL_STAYS,
            STREAMS_STAY,
        ),
    ),
)

LOSS = Drill(
    name="loss",
    title="Packets are lost on the way to the bridge",
    fault="nftables drop 5, then 20 of a hundred packets that come to the bridge's UDP 10000",
    undone="the rules are removed",
    watched="what the call hears, and how much of it is lost",
    upstream="not seen with the originals; sound goes on with holes, pictures are repaired by "
    "repetition, and nobody is moved",
    budget=90,
    acts=tuple(
        replace(unnoticed(Lose(percent), LOST, SOUND_STAYS, CALL_STAYS), quiet=4.0)
        for percent in (5, 20)
    ),
)

WRONG = Drill(
    name="wrong-address",
    title="A bridge offers an address that nobody can reach",
    fault="ice4j's static mapping to 127.0.0.2 and no private candidates on the bridge in use, "
    "restarted; then all other bridges are stopped",
    undone="the lines are removed from jvb.conf, restarted; systemctl start on the others",
    watched="what the call hears, Jicofo's bridge count",
    upstream="the bridge is operational for Jicofo, the call is moved to it and everybody is "
    "invited, and no packet arrives",
    weakness="Jicofo and the bridge's own health check call a bridge well whose address nobody "
    "can reach: a call that is moved there falls silent.",
    needs=(Need.TWO_BRIDGES,),
    budget=150,
    acts=(
        Act(
            WrongAddress(),
            Where.IN_USE,
            (TERMINATED, MOVED, *BACK_SOON, IN_BREWERY_AGAIN, STREAMS_STAY),
            quiet=2.0,
        ),
        Act(
            Stop(),
            Where.OTHERS,
            (
                replace(TERMINATED, within=8.0),
                Expectation(
                    "they are invited to the one that is left", Who.CALL, Mark.REINVITED,
                    within=12.0,
                ),
                *NO_SOUND,
                SAY_WHY,
                Expectation(
                    "Jicofo counts it as operational", Who.JICOFO, Mark.NONE_LEFT,
                    within=None, otherwise=DrillVerdict.BETTER,
                ),
                STREAMS_STAY,
            ),
            quiet=2.0,
        ),
        ended(
            WrongAddress(), IN_BREWERY_AGAIN, RESTARTED_ALONE, *AFTER_JOIN, STREAMS_STAY
        ),
    ),
)  # fmt: skip

SLOWED = Drill(
    name="slow-bridge",
    title="The bridge in use gets little CPU",
    fault="its unit may use a tenth of one processor (systemd's CPUQuota)",
    undone="the limit is lifted",
    watched="what the call hears, Jicofo's health checks",
    upstream="not seen with the originals; a small call goes on, with pauses that are told and not "
    "judged, because they depend on the machine; it is not moved",
    needs=(Need.TWO_BRIDGES,),
    budget=90,
    acts=(
        Act(Slow(), Where.IN_USE, (CALL_STAYS, STREAMS_STAY, *OTHERS_STAY), quiet=20.0),
        ended(Slow(), CALL_STAYS, STREAMS_STAY, sound_again(15.0, "sound is back")),
    ),
)

MEDIA_DRILLS = (CLOSED, LOSS, WRONG, SLOWED)
