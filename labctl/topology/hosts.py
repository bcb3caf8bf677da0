"""The machines over which a lab is spread: how lab.conf names them, and which node is on which.

A lab without `hosts` is on this machine; its nodes have no host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from labctl.topology.spec import Role

HERE = "local"
"""The word of lab.conf for the machine that runs labctl."""

ADDRESS_WORDS = f"'{HERE}' or 'ssh://[USER@]MACHINE[:PORT]'"

# Docker hands both to ssh, so neither may look like an option.
_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ADDRESS = re.compile(rf"ssh://(?:{_WORD}@)?({_WORD}(?::[0-9]{{1,5}})?)")


def is_address(text: str) -> bool:
    """Whether it names a machine: 'local', or an address that Docker's client reaches by ssh."""
    return text == HERE or _ADDRESS.fullmatch(text) is not None


def is_here(host: str) -> bool:
    """Whether a node's host is the machine that runs labctl."""
    return host in ("", HERE)


def host_name(address: str) -> str:
    """The short name of a machine, for people and for `placement`: 'lab1' of 'ssh://me@lab1'."""
    found = _ADDRESS.fullmatch(address)
    return found[1] if found else address


def find_host(name: str, hosts: Sequence[str]) -> str | None:
    """The address that a short name or an address means; None if it is none of `hosts`."""
    return next((host for host in hosts if name in (host, host_name(host))), None)


def place(
    hosts: Sequence[str], placement: Mapping[str, str], *, name: str, role: Role, index: int
) -> str:
    """The machine of the node that is number `index`, from 0, of its role; empty without `hosts`.

    What `placement` says of the node comes first, then what it says of its role.  Else the JMS is
    on the first machine, and the nodes of each other role begin on the second, in turn: a lab that
    grows moves none of them.
    """
    if not hosts:
        return ""
    named = placement.get(name) or placement.get(role)
    if named is not None and (found := find_host(named, hosts)) is not None:
        return found
    first = 0 if role is Role.JMS else 1
    return hosts[(first + index) % len(hosts)]
