"""Faults as small values, where they hit, and their words.  `scripts` makes and unmakes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from labctl.topology.roles import BRIDGE

BRIDGE_UNIT = BRIDGE.name


class Way(StrEnum):
    """Which packets a partition drops, seen from the node."""

    BOTH = "both ways"
    OUT = "outgoing only"
    IN = "incoming only"


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a fault hits: a node, and the unit or ports on it."""

    node: str
    unit: str
    name: str
    """The word for people and timelines: a bridge's nick, a vnode's name, a unit."""
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """`systemctl stop`: the process ends in order."""


@dataclass(frozen=True, slots=True)
class Start:
    """`systemctl start`: what an earlier act stopped runs again."""


@dataclass(frozen=True, slots=True)
class Restart:
    """`systemctl restart`."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL.  Without `comes_back` the unit's restart policy is switched off first."""

    comes_back: bool


@dataclass(frozen=True, slots=True)
class Hang:
    """SIGSTOP: the process is there, holds its sockets, and does nothing."""


@dataclass(frozen=True, slots=True)
class Partition:
    """The node's packets are dropped; only the machine that runs labctl still reaches it."""

    way: Way = Way.BOTH


@dataclass(frozen=True, slots=True)
class CutPorts:
    """Packets from and to the spot's ports are dropped, the rest of the node goes on."""


@dataclass(frozen=True, slots=True)
class FillLogDisk:
    """The folder of Prosody's logs becomes a small file system without a byte left.

    Never the node's own disk: in a container that is the disk of the host.
    """

    folder: str = "/var/log/prosody"


@dataclass(frozen=True, slots=True)
class ClockOff:
    """The node's clock is wrong by so many seconds."""

    seconds: int = 600


@dataclass(frozen=True, slots=True)
class Squeeze:
    """The unit may use so little memory that it cannot live, and is restarted with that limit."""

    mib: int = 12


@dataclass(frozen=True, slots=True)
class DropMedia:
    """Packets from and to the bridge's media port are dropped, all else goes on."""


@dataclass(frozen=True, slots=True)
class Lose:
    """So many of a hundred packets that come to the bridge's media port are lost, by chance."""

    percent: int


@dataclass(frozen=True, slots=True)
class WrongAddress:
    """The bridge offers this address and no other, and is restarted.

    One of loopback: whoever tries it reaches their own machine, and nobody's network.
    """

    address: str = "127.0.0.2"


@dataclass(frozen=True, slots=True)
class Slow:
    """The unit gets so many hundredths of one processor."""

    percent: int = 10


Undoable = (
    Stop | Start | Restart | Kill | Hang | Partition | CutPorts | FillLogDisk
    | ClockOff | Squeeze | DropMedia | Lose | WrongAddress | Slow
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Undo:
    """An act that ends an earlier fault, so that the way back is watched, too."""

    fault: Undoable


Fault = Undoable | Undo


def describe(fault: Fault) -> str:
    """The fault in few words, to be followed by what it hits: "stop", "SIGKILL without restart"."""
    match fault:
        case Undo(inner):
            return f"end of: {describe(inner)}"
        case Kill(comes_back):
            return "SIGKILL" if comes_back else "SIGKILL without restart"
        case Hang():
            return "SIGSTOP"
        case Partition(way):
            return f"partition ({way})"
        case CutPorts():
            return "cut of the s2s ports"
        case FillLogDisk():
            return "full disk for the logs"
        case ClockOff(seconds):
            return f"clock off by {seconds} s"
        case Squeeze(mib):
            return f"memory limit of {mib} MiB"
        case DropMedia():
            return "media port closed"
        case Lose(percent):
            return f"loss of {percent} %"
        case WrongAddress(address):
            return f"offers {address} only"
        case Slow(percent):
            return f"{percent} % of a processor"
        case Stop() | Start() | Restart():
            return type(fault).__name__.lower()
        case _:
            assert_never(fault)
