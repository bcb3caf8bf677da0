"""Faults as small values, and the shell text that makes and unmakes each on a node.

Text only: `labctl.drills.stage` sends it over ssh, as root.  Every undo may run twice, and on a
node that never had the fault: it is also what the next labctl runs after one that was killed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address

BRIDGE_UNIT = "jitsi-videobridge2.service"
TABLE = "inet labctl_drill"
"""A table of our own, so that undoing removes exactly what the drill brought."""
DROP_IN = "labctl-drill.conf"
MARKS = "/run/labctl-drill"


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
    """The unit may use so little memory that it cannot live, and is started anew under it."""

    mib: int = 12


@dataclass(frozen=True, slots=True)
class Undo:
    """An act that ends an earlier fault, so that the way back is watched, too."""

    fault: (
        Stop | Start | Restart | Kill | Hang | Partition | CutPorts | FillLogDisk
        | ClockOff | Squeeze
    )  # fmt: skip


Fault = (
    Stop | Start | Restart | Kill | Hang | Partition | CutPorts | FillLogDisk
    | ClockOff | Squeeze | Undo
)  # fmt: skip


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
    return type(fault).__name__.lower()


def render_fault(fault: Fault, spot: Spot, *, host: IPv4Address) -> str:
    """The script that makes the fault; `host` stays able to reach the node by ssh."""
    unit = spot.unit
    match fault:
        case Undo(inner):
            return render_undo(inner, spot)
        case Stop():
            return f"systemctl stop {unit}"
        case Start():
            return f"systemctl start {unit}"
        case Restart():
            return f"systemctl restart {unit}"
        case Kill(comes_back):
            stays = "" if comes_back else _drop_in(unit, "Restart=no")
            return f"{stays}systemctl kill --signal=KILL {unit}"
        case Hang():
            return f"systemctl kill --signal=STOP {unit}"
        case Partition(way):
            return _nft(_partition(way, host))
        case CutPorts():
            ports = ", ".join(str(port) for port in spot.ports)
            return _nft([f"tcp dport {{ {ports} }} drop", f"tcp sport {{ {ports} }} drop"])
        case FillLogDisk(folder):
            return _fill(folder, unit)
        case ClockOff(seconds):
            return _clock(seconds)
        case Squeeze(mib):
            # Stopped first: cgroup v1 refuses a limit below what is used already.
            return (
                f"systemctl stop {unit}\n"
                f"systemctl set-property --runtime {unit} MemoryMax={mib}M\n"
                f"systemctl start --no-block {unit}"
            )


def render_undo(fault: Fault, spot: Spot) -> str:
    """The script that ends the fault; harmless where there is none (any more)."""
    unit = spot.unit
    start = f"systemctl reset-failed {unit} 2>/dev/null; systemctl start {unit}"
    match fault:
        case Undo(inner):
            return render_undo(inner, spot)
        case Stop() | Start() | Restart():
            return start
        case Kill():
            return f"{_drop_out(unit)}\n{start}"
        case Hang():
            return f"systemctl kill --signal=CONT {unit} 2>/dev/null\n{start}"
        case Partition() | CutPorts():
            return f"nft delete table {TABLE} 2>/dev/null || true"
        case FillLogDisk(folder):
            return (
                f"if mountpoint -q {folder}; then umount -l {folder}; systemctl reload {unit}; fi"
            )
        case ClockOff():
            return (
                f"if [ -f {MARKS}-clock ]; then read -r boot < {MARKS}-clock; "
                "read -r up rest < /proc/uptime; "
                'date -s "@$(awk -v b=$boot -v u=$up \'BEGIN { printf "%.2f", b + u }\')"; '
                f"rm {MARKS}-clock; timedatectl set-ntp true 2>/dev/null || true; fi"
            )
        case Squeeze():
            return (
                f"rm -rf /run/systemd/system.control/{unit}.d\n"
                f"systemctl daemon-reload\n"
                f"systemctl set-property --runtime {unit} MemoryMax=infinity\n{start}"
            )


def _drop_in(unit: str, line: str) -> str:
    folder = f"/run/systemd/system/{unit}.d"
    return (
        f"mkdir -p {folder}\n"
        f"printf '[Service]\\n{line}\\n' > {folder}/{DROP_IN}\n"
        "systemctl daemon-reload\n"
    )


def _drop_out(unit: str) -> str:
    folder = f"/run/systemd/system/{unit}.d"
    return f"rm -f {folder}/{DROP_IN}; rmdir {folder} 2>/dev/null; systemctl daemon-reload"


def _partition(way: Way, host: IPv4Address) -> list[str]:
    """Rules per chain; loopback and the host are spared, or nobody could undo it."""
    rules = []
    if way is not Way.OUT:
        rules.append(f'iifname != "lo" ip saddr != {host} drop')
    if way is not Way.IN:
        rules.append(f'oifname != "lo" ip daddr != {host} drop')
    return rules


def _nft(rules: list[str]) -> str:
    """One transaction.  Before conntrack and the lab's own firewall, which would accept first."""
    incoming = [rule for rule in rules if "oifname" not in rule]
    outgoing = [rule for rule in rules if "iifname" not in rule]
    lines = [f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    for hook, some in (("input", incoming), ("output", outgoing)):
        lines += [
            f"  chain {hook} {{",
            f"    type filter hook {hook} priority -300; policy accept;",
        ]
        lines += [f"    {rule}" for rule in some]
        lines.append("  }")
    text = "\n".join([*lines, "}"])
    return f"nft -f - <<'RULES'\n{text}\nRULES"


def _fill(folder: str, unit: str) -> str:
    return (
        f"mountpoint -q {folder} || mount -t tmpfs -o size=256k,mode=1777 labctl-drill {folder}\n"
        f"dd if=/dev/zero of={folder}/filler bs=4k 2>/dev/null\n"
        f"systemctl reload {unit}\n"
        f"test $(df --output=avail {folder} | tail -n 1) -eq 0"
    )


def _clock(seconds: int) -> str:
    """Remembers when the node booted, by its right clock: enough to set it right again."""
    return (
        "timedatectl set-ntp false 2>/dev/null\n"
        "read -r up rest < /proc/uptime\n"
        "awk -v n=$(date +%s.%N) -v u=$up 'BEGIN { printf \"%.2f\\n\", n - u }' "
        f"> {MARKS}-clock\n"
        f'date -s "@$(( $(date +%s) + {seconds} ))"'
    )
