"""The shell text that makes and unmakes each fault on a node.

Text only: `labctl.drills.stage` sends it over ssh, as root.  Every undo may run twice, and on a
node that never had the fault: it is also what the next labctl runs after one that was killed.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import assert_never

from labctl.drills.faults import (
    ClockOff,
    CutPorts,
    DropMedia,
    Fault,
    FillLogDisk,
    Hang,
    Kill,
    Lose,
    Partition,
    Restart,
    Slow,
    Spot,
    Squeeze,
    Start,
    Stop,
    Undo,
    Way,
    WrongAddress,
)  # fmt: skip
from labctl.topology.roles import BRIDGE, SSH
from labctl.topology.units import Proto

TABLE = "inet labctl_drill"
"""A table of our own, so that undoing removes exactly what the drill brought."""
DROP_IN = "labctl-drill.conf"
MARKS = "/run/labctl-drill"
[MEDIA_PORT] = [port.number for port in BRIDGE.ports if port.proto is Proto.UDP]
[SSH_PORT] = [port.number for port in SSH.ports]
CONFIG = BRIDGE.configs[0].path
CONFIG_MARK = "# labctl drill"


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
        case DropMedia():
            return _nft([f"udp dport {MEDIA_PORT} drop", f"udp sport {MEDIA_PORT} drop"])
        case Lose(percent):
            return _nft([f"udp dport {MEDIA_PORT} numgen random mod 100 < {percent} drop"])
        case WrongAddress(address):
            return _offer(address, unit, host)
        case Slow(percent):
            return f"systemctl set-property --runtime {unit} CPUQuota={percent}%"
        case _:
            assert_never(fault)


def render_undo(fault: Fault, spot: Spot) -> str:
    """The script that ends the fault; harmless if there is none, or none any longer."""
    unit = spot.unit
    start = f"systemctl reset-failed {unit} 2>/dev/null; systemctl start {unit}"
    match fault:
        case Undo(inner):
            return render_undo(inner, spot)
        case Stop() | Start() | Restart():
            return start
        case Kill():
            return f"{_drop_out(unit)}\n{start}\n{_start_exited(unit)}"
        case Hang():
            return f"systemctl kill --signal=CONT {unit} 2>/dev/null\n{start}"
        case Partition() | CutPorts() | DropMedia() | Lose():
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
            return f"{_unlimited(unit, 'MemoryMax=infinity')}\n{start}"
        case Slow():
            return _unlimited(unit, "CPUQuota=")
        case WrongAddress():
            # Restarted only where it was wrong: an undo may run twice.
            return (
                f"if grep -q '^{CONFIG_MARK}' {CONFIG}; then sed -i '/^{CONFIG_MARK}/,$d' {CONFIG};"
                f" systemctl restart {unit}; fi\n{start}"
            )
        case _:
            assert_never(fault)


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


def _start_exited(unit: str) -> str:
    """For what systemd takes for active although its processes are gone (Jicofo's init script)."""
    return f'[ "$(systemctl show -P SubState {unit})" != exited ] || systemctl restart {unit}'


def _unlimited(unit: str, nothing: str) -> str:
    """Lifts what `set-property --runtime` has set; `nothing` is the property without a limit."""
    return (
        f"rm -rf /run/systemd/system.control/{unit}.d\n"
        f"systemctl daemon-reload\n"
        f"systemctl set-property --runtime {unit} {nothing}"
    )


def _offer(address: str, unit: str, host: IPv4Address) -> str:
    """More lines for the bridge's configuration: in HOCON the last value counts."""
    return (
        f"own=$(ip -4 -o route get {host} | sed -n 's/.* src \\([0-9.]*\\).*/\\1/p')\n"
        f"cat >> {CONFIG} <<CONFIG\n"
        f"{CONFIG_MARK}\n"
        "videobridge.ice.advertise-private-candidates = false\n"
        "ice4j.harvest.mapping.static-mappings = [\n"
        f'  {{ local-address = "$own", public-address = "{address}" }}\n'
        "]\n"
        "CONFIG\n"
        f"systemctl restart {unit}"
    )


def _partition(way: Way, host: IPv4Address) -> list[str]:
    """Rules per chain; loopback and the host's ssh are spared, or nobody could undo it.

    Participants are on the host, too: their media is cut off like everybody's.
    """
    incoming = [
        f'iifname != "lo" ip saddr != {host} drop',
        f'iifname != "lo" ip saddr {host} tcp dport != {SSH_PORT} drop',
        f'iifname != "lo" ip saddr {host} meta l4proto != tcp drop',
    ]
    outgoing = [
        f'oifname != "lo" ip daddr != {host} drop',
        f'oifname != "lo" ip daddr {host} tcp sport != {SSH_PORT} drop',
        f'oifname != "lo" ip daddr {host} meta l4proto != tcp drop',
    ]
    match way:
        case Way.BOTH:
            return [*incoming, *outgoing]
        case Way.IN:
            return incoming
        case Way.OUT:
            return outgoing
        case _:
            assert_never(way)


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
