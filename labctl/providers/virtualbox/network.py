"""A lab's host-only interface: this machine at .1, no DHCP, no other machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path

from labctl.core.errors import LabError
from labctl.core.state import StateError
from labctl.host import network
from labctl.providers.virtualbox.claims import Claim, claims_of, held, load_claims, save_claims
from labctl.providers.virtualbox.inventory import Machine, owns, read_machines
from labctl.providers.virtualbox.manage import parse_blocks, vboxmanage
from labctl.providers.virtualbox.messages import REFUSED
from labctl.topology.lab import Lab
from labctl.topology.model import Topology
from labctl.topology.workdir import Workdir

ALLOWED_FILE = Path("/etc/vbox/networks.conf")
ALLOWED = (IPv4Network("192.168.56.0/21"),)
"""What VirtualBox allows where that file is missing (its manual, 'Host-Only Networking')."""

DHCP_PREFIX = "HostInterfaceNetworking-"
"""VirtualBox's prefix of an interface's name in the name of its network."""


@dataclass(frozen=True, slots=True)
class HostOnly:
    """A host-only interface: its name, and its address if it has one."""

    name: str
    address: IPv4Interface | None


def parse_interfaces(text: str) -> tuple[HostOnly, ...]:
    """Interfaces from `VBoxManage list hostonlyifs`; 0.0.0.0 means no address."""
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
    """Networks with a DHCP server, from `VBoxManage list dhcpservers`, and whether it is on."""
    return {
        block["NetworkName"]: block.get("Enabled") == "Yes"
        for block in parse_blocks(text)
        if "NetworkName" in block
    }


def parse_allowed(text: str) -> tuple[IPv4Network, ...]:
    """The IPv4 ranges in a networks.conf: lines that begin with a star, several ranges each."""
    words = [word for line in re.findall(r"(?m)^\s*\*(.*)$", text) for word in line.split()]
    ranges = []
    for word in words:
        # IPv6, or text that VirtualBox does not understand either.
        with suppress(ValueError):
            ranges.append(IPv4Network(word, strict=False))
    return tuple(ranges)


def check_allowed(wanted: IPv4Network, *, file: Path = ALLOWED_FILE) -> None:
    """Refuse a network that VirtualBox would refuse (LabError)."""
    allowed = parse_allowed(file.read_text(encoding="utf-8")) if file.is_file() else ALLOWED
    if not any(wanted.subnet_of(block) for block in allowed):
        ranges = ", ".join(map(str, allowed)) or "none"
        raise network.NetworkTakenError(
            f"VirtualBox does not allow {wanted} for a host-only network, only: {ranges}.",
            hint=REFUSED.hint.replace("ADDRESS/PREFIX", str(wanted)),
        )


def check_free(lab: Lab) -> str | None:
    """The host-only interface that the lab has or may use, or None; changes nothing.

    Errors: LabError if VirtualBox does not allow the network, if another lab or other machines use
    it, or if another interface or route of this machine overlaps it.
    """
    check_allowed(lab.topology.network)
    found = parse_interfaces(vboxmanage("list", "hostonlyifs"))
    usable = choose(lab, found, load_claims(), read_machines())
    network.check_network(lab.topology.network, allow=(usable,) if usable else ())
    return usable


def choose(
    lab: Lab,
    found: Iterable[HostOnly],
    claims: Mapping[str, Claim],
    machines: Sequence[Machine],
) -> str | None:
    """Which of the interfaces the lab may use; None if a new one must be made.

    Errors: LabError if one that is not the lab's has a part of the lab's network.
    """
    own = IPv4Interface((lab.topology.host_address, lab.topology.network.prefixlen))
    for interface in found:
        mine = _is_claimed(interface.name, lab.folder, claims)
        overlaps = interface.address and interface.address.network.overlaps(own.network)
        if not overlaps and not (mine and interface.address is None):
            continue
        if whose := _owner(interface.name, lab.folder, claims, machines):
            raise network.NetworkTakenError(
                f"Network {lab.topology.network} is already taken by '{interface.name}', which"
                f" belongs to {whose}.",
                hint="Destroy that one, or choose another network for this lab with '--network'.",
            )
        if mine or interface.address == own:
            return interface.name
        raise network.NetworkTakenError(
            f"Network {lab.topology.network} overlaps the host-only interface '{interface.name}'"
            f" ({interface.address}).",
            hint="Nothing seems to use it; remove it with 'VBoxManage hostonlyif remove"
            f" {interface.name}', or choose another network with '--network'.",
        )
    return None


def ensure_interface(lab: Lab) -> str:
    """Make the lab's host-only interface if it is missing, with address .1 and no DHCP.

    Its name is remembered for `interface_name`.  Errors: those of `check_free`, and VirtualBox's.
    """
    here, cidr = str(lab.folder.path.resolve()), str(lab.topology.network)
    with held():
        for name, claim in claims_of(lab.folder).items():
            if claim.network != cidr:
                _release(name, claim)
        usable, claims = check_free(lab), load_claims()
        name = usable or _create()
        if usable is None or not _is_claimed(name, lab.folder, claims):
            claims[name] = Claim(here, cidr, made=usable is None)
        save_claims({key: one for key, one in claims.items() if key == name or one.workdir != here})
        _configure(name, lab.topology)
        _silence_dhcp(name, remove=claims[name].made)
    return name


def interface_name(workdir: Workdir) -> str:
    """The host-only interface from `ensure_interface`.  Errors: LabError if there is none yet."""
    for name in claims_of(workdir):
        return name
    raise LabError(
        f"Lab '{workdir.lab}' has no host-only network.", hint="Run 'labctl up' to make it."
    )


def remove_interface(workdir: Workdir) -> None:
    """Release the lab's interface, and remove it if labctl made it and nothing else uses it.

    If the interface is not known, it stays, and the next `up` says what to do.
    """
    with held(), suppress(StateError):
        for name, claim in claims_of(workdir).items():
            _release(name, claim)


def _is_claimed(name: str, workdir: Workdir, claims: Mapping[str, Claim]) -> bool:
    return name in claims and claims[name].workdir == str(workdir.path.resolve())


def _owner(
    name: str, workdir: Workdir, claims: Mapping[str, Claim], machines: Iterable[Machine]
) -> str | None:
    """The owner of an interface, if it is not this lab."""
    if name in claims and claims[name].stands and not _is_claimed(name, workdir, claims):
        return f"the lab in '{claims[name].workdir}'"
    others = [one for one in machines if name in one.hostonly and not owns(workdir, one)]
    names = ", ".join(f"'{machine.name}'" for machine in others)
    return f"machines of somebody else ({names})" if others else None


def _create() -> str:
    said = vboxmanage("hostonlyif", "create")
    if (found := re.search(r"Interface '(.+?)' was successfully created", said)) is None:
        raise LabError(
            f"VirtualBox made a host-only interface but did not report its name: {said!r}."
        )
    return found[1]


def _configure(name: str, topology: Topology) -> None:
    """Set address .1 on the interface if this machine does not have it yet."""
    own = IPv4Interface((topology.host_address, topology.network.prefixlen))
    interfaces = {entry.name: entry.addresses for entry in network.read_interfaces()}
    if own not in interfaces.get(name, ()):
        mask = str(topology.network.netmask)
        vboxmanage("hostonlyif", "ipconfig", name, "--ip", str(own.ip), "--netmask", mask)


def _silence_dhcp(name: str, *, remove: bool) -> None:
    """Turn off DHCP, because nodes have fixed addresses; a foreign server stays."""
    servers = parse_dhcp(vboxmanage("list", "dhcpservers"))
    on = servers.get(f"{DHCP_PREFIX}{name}")
    if on is not None and remove:
        vboxmanage("dhcpserver", "remove", f"--interface={name}")
    elif on:
        vboxmanage("dhcpserver", "modify", f"--interface={name}", "--disable")


def _release(name: str, claim: Claim) -> None:
    """Drop a claim, and remove the interface if it is unused and still the one that labctl made."""
    found = parse_interfaces(vboxmanage("list", "hostonlyifs"))
    ours = claim.made and any(_is_as_claimed(one, claim) for one in found if one.name == name)
    if ours and not any(name in machine.hostonly for machine in read_machines()):
        vboxmanage("hostonlyif", "remove", name)
    save_claims({key: one for key, one in load_claims().items() if key != name})


def _is_as_claimed(interface: HostOnly, claim: Claim) -> bool:
    # Names are assigned again when the host restarts, so another address means another interface.
    return interface.address is None or str(interface.address.network) == claim.network
