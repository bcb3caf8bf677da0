"""Whose a thing is that labs could fight for: what they make knows the folder of its lab."""

from __future__ import annotations

from labctl.errors import LabError

HINT = "Give this lab another name with '--lab', or destroy that one first."


def whose(folder: str) -> str:
    """The owner in words; `folder` is a lab's, or empty for what labctl did not make."""
    return f"the lab in '{folder}'" if folder else "somebody else"


def foreign(thing: str, folder: str) -> LabError:
    """The error for a thing that has a name of this lab's and belongs to another."""
    return LabError(f"{thing} belongs to {whose(folder)}.", hint=HINT)


def taken(network: object, thing: str, folder: str) -> LabError:
    """The error for addresses that another lab's or somebody's network has."""
    return LabError(
        f"Network {network} is already taken by {thing} of {whose(folder)}.",
        hint="Halting does not free it: destroy that lab, or use another '--network'.",
    )
