"""Who owns a machine or network: everything that a lab makes is marked with the lab's folder."""

from __future__ import annotations

from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.host.network import NetworkTakenError

HINT = "Give this lab another name with '--lab', or destroy that one first."


def describe_owner(folder: str) -> str:
    """The owner in words; `folder` is a lab's, or empty for things that labctl did not make."""
    return f"the lab in '{folder}'" if folder else "somebody else"


def owned_by_other(thing: str, folder: str) -> LabError:
    """The error for a thing with a name of this lab that belongs to another."""
    return LabError(f"{thing} belongs to {describe_owner(folder)}.", hint=HINT)


def network_taken(network: object, thing: str, folder: str) -> NetworkTakenError:
    """The error for addresses that another network has."""
    return NetworkTakenError(
        f"Network {network} is already taken by {thing} of {describe_owner(folder)}.",
        hint="Destroy that lab (halting it is not enough), or use another '--network'.",
        finding=Finding.NETWORK_TAKEN,
    )
