"""A lab's host-only interface: this machine at .1, no DHCP, no machines of anybody else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from labctl import network
from labctl.errors import LabError
from labctl.model import Topology
from labctl.virtualbox.claims import Claim, claims_of, held, load_claims, save_claims
from labctl.virtualbox.inventory import Machine, owns, read_machines
from labctl.virtualbox.manage import parse_blocks, vboxmanage
from labctl.virtualbox.messages import REFUSED
from labctl.workdir import Workdir

ALLOWED_FILE = Path("/etc/vbox/networks.conf")
ALLOWED = (IPv4Network("192.168.56.0/21"),)
"""What VirtualBox allows where that file is missing (its manual, 'Host-Only Networking')."""

DHCP_PREFIX = "HostInterfaceNetworking-"
"""What VirtualBox puts before an interface's name to name its network."""


@dataclass(frozen=True, slots=True)
class HostOnly:
    """A host-only interface: its name, and its address unless it has none."""

    name: str
    address: IPv4Interface | None


def parse_interfaces(text: str) -> tuple[HostOnly, ...]:
    """Interfaces from `VBoxManage list hostonlyifs`; 0.0.0.0 stands for no address."""
    return tuple(
        HostOnly(
            name=block["Name"],
            address=None
            if block["IPAddress"] == "0.0.0.0"
            else IPv4Interface(f"{block['IPAddress']}/{block['NetworkMask']}"),
        )
        for block in parse_blocks(text)
        if "VBoxNetworkName" in block
    )


def parse_dhcp(text: str) -> dict[str, bool]:
    """Networks with a DHCP server from `VBoxManage list dhcpservers`, and whether it is on."""
    return {
        block["NetworkName"]: block.get("Enabled") == "Yes"
        for block in parse_blocks(text)
        if "NetworkName" in block
    }


def parse_allowed(text: str) -> tuple[IPv4Network, ...]:
    """IPv4 ranges of a networks.conf: lines that begin with a star, several ranges to a line."""
    words = [word for line in re.findall(r"(?m)^\s*\*(.*)$", text) for word in line.split()]
    ranges = []
    for word in words:
        # IPv6, and what VirtualBox does not understand either.
        with suppress(ValueError):
            ranges.append(IPv4Network(word, strict=False))
    return tuple(ranges)


def check_allowed(wanted: IPv4Network, *, file: Path = ALLOWED_FILE) -> None:
    """Refuse a network that VirtualBox would refuse (LabError)."""
    allowed = parse_allowed(file.read_text(encoding="utf-8")) if file.is_file() else ALLOWED
    if not any(wanted.subnet_of(block) for block in allowed):
        ranges = ", ".join(map(str, allowed)) or "none"
        raise LabError(
            f"VirtualBox does not allow {wanted} for a host-only network, only: {ranges}.",
            hint=REFUSED.hint.replace("ADDRESS/PREFIX", str(wanted)),
        )


def check_free(workdir: Workdir, topology: Topology) -> str | None:
    """The host-only interface that the lab has or may use, or None; looks, changes nothing.

    Errors: LabError when VirtualBox does not allow the network, when another lab or machines of
    somebody else have it, or another interface or route of this machine overlaps it.
    """
    check_allowed(topology.network)
    found = parse_interfaces(vboxmanage("list", "hostonlyifs"))
    usable = choose(workdir, topology, found, load_claims(), read_machines())
    network.check_network(topology.network, allow=(usable,) if usable else ())
    return usable


def choose(
    workdir: Workdir,
    topology: Topology,
    found: Iterable[HostOnly],
    claims: Mapping[str, Claim],
    machines: Sequence[Machine],
) -> str | None:
    """Which of the interfaces the lab may use; None when a new one is to be made.

    Errors: LabError when one that is not the lab's has a part of the lab's network.
    """
    own = IPv4Interface((topology.host_address, topology.network.prefixlen))
    for interface in found:
        mine = _is_claimed(interface.name, workdir, claims)
        overlaps = interface.address and interface.address.network.overlaps(own.network)
        if not overlaps and not (mine and interface.address is None):
            continue
        if whose := _owner(interface.name, workdir, claims, machines):
            raise LabError(
                f"Network {topology.network} is already taken by '{interface.name}', which"
                f" belongs to {whose}.",
                hint="Destroy that, or choose another network for this lab with '--network'.",
            )
        if mine or interface.address == own:
            return interface.name
        raise LabError(
            f"Network {topology.network} overlaps the host-only interface '{interface.name}'"
            f" ({interface.address}).",
            hint=f"Nobody seems to use it: 'VBoxManage hostonlyif remove {interface.name}'."
            " Or choose another network with '--network'.",
        )
    return None


def ensure_interface(workdir: Workdir, topology: Topology) -> str:
    """Make the lab's host-only interface where it is missing, with address .1 and no DHCP.

    Its name is remembered for `interface_name`.  Errors: those of `check_free`, and VirtualBox's.
    """
    here, cidr = str(workdir.path.resolve()), str(topology.network)
    with held():
        for name, claim in claims_of(workdir).items():
            if claim.network != cidr:
                _release(name, claim)
        usable, claims = check_free(workdir, topology), load_claims()
        name = usable or _create()
        if usable is None or not _is_claimed(name, workdir, claims):
            claims[name] = Claim(here, cidr, made=usable is None)
        save_claims({key: one for key, one in claims.items() if key == name or one.workdir != here})
        _configure(name, topology)
        _silence_dhcp(name, remove=claims[name].made)
    return name


def interface_name(workdir: Workdir) -> str:
    """The host-only interface that `ensure_interface` found or made; LabError before that."""
    for name in claims_of(workdir):
        return name
    raise LabError(
        f"Lab '{workdir.lab}' has no host-only network.", hint="Run 'labctl up' to make it."
    )


def remove_interface(workdir: Workdir) -> None:
    """Give up the lab's interface, and remove it if labctl made it and nobody else uses it."""
    with held():
        for name, claim in claims_of(workdir).items():
            _release(name, claim)


def _is_claimed(name: str, workdir: Workdir, claims: Mapping[str, Claim]) -> bool:
    return name in claims and claims[name].workdir == str(workdir.path.resolve())


def _owner(
    name: str, workdir: Workdir, claims: Mapping[str, Claim], machines: Iterable[Machine]
) -> str | None:
    """Who has an interface, when it is not this lab."""
    if name in claims and claims[name].stands and not _is_claimed(name, workdir, claims):
        return f"the lab in '{claims[name].workdir}'"
    others = [one for one in machines if name in one.hostonly and not owns(workdir, one)]
    names = ", ".join(f"'{machine.name}'" for machine in others)
    return f"machines of somebody else ({names})" if others else None


def _create() -> str:
    said = vboxmanage("hostonlyif", "create")
    if (found := re.search(r"Interface '(.+?)' was successfully created", said)) is None:
        raise LabError(f"VirtualBox made a host-only interface without telling its name: {said!r}.")
    return found[1]


def _configure(name: str, topology: Topology) -> None:
    """Address .1 on the interface, where this machine does not have it yet."""
    own = IPv4Interface((topology.host_address, topology.network.prefixlen))
    interfaces = {entry.name: entry.addresses for entry in network.read_interfaces()}
    if own not in interfaces.get(name, ()):
        mask = str(topology.network.netmask)
        vboxmanage("hostonlyif", "ipconfig", name, "--ip", str(own.ip), "--netmask", mask)


def _silence_dhcp(name: str, *, remove: bool) -> None:
    """No DHCP beside the nodes' fixed addresses; a server of somebody else is only turned off."""
    servers = parse_dhcp(vboxmanage("list", "dhcpservers"))
    on = servers.get(f"{DHCP_PREFIX}{name}")
    if on is not None and remove:
        vboxmanage("dhcpserver", "remove", f"--interface={name}")
    elif on:
        vboxmanage("dhcpserver", "modify", f"--interface={name}", "--disable")


def _release(name: str, claim: Claim) -> None:
    """Forget a claim; the interface goes if it is still the one that labctl made, and unused."""
    found = parse_interfaces(vboxmanage("list", "hostonlyifs"))
    ours = claim.made and any(_is_as_claimed(one, claim) for one in found if one.name == name)
    if ours and not any(name in machine.hostonly for machine in read_machines()):
        vboxmanage("hostonlyif", "remove", name)
    save_claims({key: one for key, one in load_claims().items() if key != name})


def _is_as_claimed(interface: HostOnly, claim: Claim) -> bool:
    # Names are given anew when the host restarts: another address is another interface.
    return interface.address is None or str(interface.address.network) == claim.network
