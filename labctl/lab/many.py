"""Many labs at once, `<name>-1` to `<name>-<count>`: a lab for each student of a class.

Everything that could refuse a lab is settled for all of them before the first machine starts:
providers, memory, disk, networks and images.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from labctl.core.errors import UsageError
from labctl.core.progress import Progress
from labctl.lab.expect import find_expected, shape_of
from labctl.lab.inotify import refuse_shortage
from labctl.lab.machines import ensure_images_of, ensure_provider
from labctl.lab.network import moved, settle_network
from labctl.lab.room import Room, check_room
from labctl.lab.saved import load_saved
from labctl.lab.up import Among
from labctl.providers.choice import refuse_change, resolve_provider
from labctl.spec import LoadedSpec
from labctl.topology.keys import AUTO, AUTO_NETWORK
from labctl.topology.layout import resolve
from labctl.topology.spec import Role, Spec
from labctl.topology.workdir import LAB_NAME, LAB_NAME_WORDS, Workdir

DEFAULT_NAME = "student"
LEAST_AT_ONCE = 2
CPUS_PER_LAB = 2
"""While a lab comes up, its Java programs and its Vagrant keep about two processors busy."""

Find = Callable[[str], Workdir]
Load = Callable[[Mapping[str, Any]], LoadedSpec]
"""The spec that flags and lab.conf describe on top of what a lab remembers."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One lab of many: its spec, the plain data that it remembers, its folder."""

    spec: Spec
    data: Mapping[str, Any]
    workdir: Workdir

    @property
    def is_new(self) -> bool:
        return not self.workdir.exists()


def names_of(name: str, count: int) -> list[str]:
    """The names of so many labs.  Errors: UsageError for a name that is too long for them."""
    names = [f"{name}-{index}" for index in range(1, count + 1)]
    if not LAB_NAME.fullmatch(name) or not LAB_NAME.fullmatch(names[-1]):
        hint = f"A lab's name must be {LAB_NAME_WORDS}."
        raise UsageError(f"--lab: '{names[-1]}' is not a valid name for a lab.", hint=hint)
    return names


def labs_named(name: str, *, find: Find = Workdir.of) -> list[Workdir]:
    """The folders of all labs `<name>-<number>` that there are, in order of their numbers."""
    pattern = re.compile(re.escape(name) + r"-([1-9][0-9]*)")
    parent = find(name).path.parent
    numbers = [found[1] for path in parent.glob("*") if (found := pattern.fullmatch(path.name))]
    return [find(f"{name}-{number}") for number in sorted(map(int, numbers))]


def plan_labs(name: str, count: int, *, load: Load, find: Find = Workdir.of) -> list[Planned]:
    """The specs of all labs; one that is missing is made like the first that there is.

    Each has a domain of its own and, if a network is named, the next one of the same size.
    Errors: SpecError, UsageError.
    """
    folders = [find(lab) for lab in names_of(name, count)]
    remembered = [_common(load_saved(folder), index) for index, folder in enumerate(folders)]
    pattern = next(filter(None, remembered), {})
    return [
        _planned(load(known or pattern), index, folder)
        for index, (folder, known) in enumerate(zip(folders, remembered, strict=True))
    ]


def _planned(loaded: LoadedSpec, index: int, folder: Workdir) -> Planned:
    """The lab of that index, from the spec that all have in common."""
    common = loaded.spec
    if _is_address(common.domain):
        raise UsageError(
            f"--domain: '{common.domain}' is an address, and many labs need names.",
            hint=f"With '--domain meet.example', this lab is '{folder.lab}.meet.example'.",
        )
    named = "network" in loaded.data and common.network != AUTO_NETWORK
    network = moved(common.network, by=index) if named else AUTO_NETWORK
    domain = f"{folder.lab}.{common.domain}"
    spec = replace(common, lab=folder.lab, domain=domain, network=network)
    said = {"lab": folder.lab, "domain": domain, "network": str(network) if named else AUTO}
    return Planned(spec, {**loaded.data, **said}, folder)


def _common(saved: Mapping[str, Any], index: int) -> Mapping[str, Any]:
    """What a lab remembers, without what makes it differ from the others."""
    found = dict(saved)
    lab = found.pop("lab", "")
    if "domain" in found:
        found["domain"] = str(found["domain"]).removeprefix(f"{lab}.")
    if found.get("network", AUTO) != AUTO:
        found["network"] = str(moved(IPv4Network(found["network"]), by=-index))
    return found


def _is_address(domain: str) -> bool:
    try:
        IPv4Address(domain)
    except AddressValueError:
        return False
    return True


def default_at_once(count: int) -> int:
    """How many labs this machine brings up beside each other."""
    return min(count, max(LEAST_AT_ONCE, (os.cpu_count() or 1) // CPUS_PER_LAB))


@dataclass(frozen=True, slots=True)
class Settled:
    """A lab that can begin: its network and its images are there."""

    planned: Planned
    among: Among


def settle(
    labs: Sequence[Planned], *, at_once: int, progress: Progress, refresh: bool
) -> list[Settled]:
    """Settle what `bring_up` needs, for all labs; no machine is started.

    Errors: LabError, with which nothing was started."""
    labs = list(_with_providers(labs, progress=progress))
    new = [lab for lab in labs if lab.is_new]
    if new:
        room = check_room([lab.spec for lab in new], asked=len(labs), progress=progress)
        progress("plan", describe(labs, room, at_once=at_once))
        refuse_shortage(lab.spec for lab in labs)
    for provider in sorted({lab.spec.provider for lab in labs}):
        ensure_provider(provider, progress=progress)
    labs = [
        replace(lab, spec=settle_network(lab.spec, workdir=lab.workdir, progress=progress))
        for lab in labs
    ]
    return list(_with_images(labs, at_once=at_once, progress=progress, refresh=refresh))


def _with_providers(labs: Sequence[Planned], *, progress: Progress) -> Iterator[Planned]:
    for lab in labs:
        named = "provider" in lab.data
        spec = resolve_provider(lab.spec, named=named, workdir=lab.workdir, progress=progress)
        refuse_change(spec, workdir=lab.workdir)
        yield replace(lab, spec=spec)


def _with_images(
    labs: Sequence[Planned], *, at_once: int, progress: Progress, refresh: bool
) -> Iterator[Settled]:
    """The labs with their images, which are made once for all labs that need the same."""
    made: dict[str, Mapping[Role, str]] = {}
    for lab in labs:
        last = lab.workdir.find_topology()
        spec = lab.spec
        of = replace(spec, lab="", domain="", network=AUTO_NETWORK)
        key = repr((of, last.jms.image if last is not None else ""))
        if key not in made:
            again = refresh and not made
            made[key] = ensure_images_of(spec, progress=progress, refresh=again, running=last)
        yield Settled(lab, Among(made[key], at_once))


def describe(labs: Sequence[Planned], room: Room, *, at_once: int) -> str:
    """What is about to be made, in a sentence."""
    new = [lab for lab in labs if lab.is_new]
    there = f", {len(labs) - len(new)} are there already" if len(new) < len(labs) else ""
    seconds = _seconds(new, at_once=at_once)
    time = (
        "nobody knows yet how long" if seconds is None else f"about {math.ceil(seconds / 60)} min"
    )
    labs_are = "1 new lab" if len(new) == 1 else f"{len(new)} new labs"
    return f"{labs_are}{there}: {room}; {at_once} at once, {time}"


def _seconds(new: Sequence[Planned], *, at_once: int) -> float | None:
    """How long the new labs are expected to take; None if no such lab was ever seen."""
    topology = resolve(replace(new[0].spec, network=_any_network(new[0].spec)))
    pace = Among({}, at_once).pace
    for stand_ins in (True, False):
        shape = shape_of(topology, stand_ins=stand_ins)
        for known in (find_expected(shape + pace), find_expected(shape)):
            if known is not None:
                return known.total * math.ceil(len(new) / at_once)
    return None


def _any_network(spec: Spec) -> IPv4Network:
    """A network for what does not depend on it."""
    return spec.network if spec.network != AUTO_NETWORK else Spec().network
