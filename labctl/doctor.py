"""Whether this machine can hold a lab: one check per question, none of which changes anything."""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path

from labctl import process
from labctl.checks import Check, Status, check_disk, free_mib, graded
from labctl.debian import load_mirror, load_release
from labctl.errors import LabError
from labctl.host import install_hint, read_version
from labctl.hostneeds import Need
from labctl.model import Provider
from labctl.providers import facts_of
from labctl.virtualbox.claims import load_claims
from labctl.workdir import ROOT

# A JMS with a conference of 400 took 0.9 GB, a bridge 0.44 GB.
MEMORY_WANTED_MIB = 2048
MEMORY_LEAST_MIB = 768
CPUS_WANTED = 2
OWN_INTERFACES = "lab-"
"""How the names of labs' own interfaces begin, whatever the provider."""
APT_HELPER = Path("/usr/lib/apt/apt-helper")
MIRROR_SECONDS = 20.0


def examine(provider: Provider, network: IPv4Network) -> list[Check]:
    """All checks for a provider and a lab's network, in the order in which they are read.

    Errors: LabError for a provider that labctl cannot run yet.
    """
    facts = facts_of(provider)
    questions: list[Callable[[], list[Check]]] = [
        lambda: [check_python()],
        *((lambda need=need: [check_need(need)]) for need in facts.needs if need.when()),
        facts.checks,
        lambda: [check_disk("disk, project", free_mib(ROOT))],
        lambda: [check_network(network)],
        lambda: [check_memory(available_mib())],
        lambda: [check_cpus(os.cpu_count() or 1)],
        lambda: [check_mirror()],
    ]
    # Programs that tell their version take up to a second each.
    with ThreadPoolExecutor(max_workers=6) as pool:
        return [check for checks in pool.map(lambda ask: ask(), questions) for check in checks]


def check_python() -> Check:
    return Check("python", Status.OK, platform.python_version())


def check_need(need: Need) -> Check:
    """Whether a command is there and tells its version."""
    if need.find() is None:
        hint = f"Run 'labctl doctor --fix'. By hand, as root: {install_hint([need])}"
        return Check(need.name, Status.FAIL, f"missing: it {need.why}", hint)
    try:
        return Check(need.name, Status.OK, read_version(need))
    except LabError as error:
        hint = f"Install it anew, as root: {install_hint([need])}"
        return Check(need.name, Status.FAIL, f"does not work: {error.message}", hint)


def check_network(network: IPv4Network) -> Check:
    """Whether the lab's network is free, or belongs to labs of labctl already."""
    from labctl.network import check_network as refuse_taken
    from labctl.network import find_conflict, read_interfaces

    name = "lab network"
    try:
        names = [entry.name for entry in read_interfaces()]
        own = [name for name in names if name.startswith(OWN_INTERFACES) or name in load_claims()]
        refuse_taken(network, allow=own)
        held = find_conflict(network)
    except LabError as error:
        return Check(name, Status.FAIL, error.message, error.hint)
    return Check(name, Status.OK, f"{network} is {'a lab of labctl' if held else 'free'}")


def check_memory(available: int) -> Check:
    """Memory in MiB that programs can still get."""
    found = f"{available / 1024:.1f} GiB available"
    hint = "End what is not needed, or build a smaller lab (fewer bridges and vnodes)."
    return graded("memory", found, available, MEMORY_WANTED_MIB, MEMORY_LEAST_MIB, hint)


def check_cpus(count: int) -> Check:
    hint = "With one CPU deadlines may pass before the lab is ready."
    return graded("cpus", str(count), count, CPUS_WANTED, 1, hint)


def check_mirror() -> Check:
    """Whether apt's own downloader gets the images' release from this machine's mirror."""
    name = "debian mirror"
    if not APT_HELPER.exists():
        hint = "Images are made by Debian's tools: build them on Debian, and copy them here."
        return Check(name, Status.WARN, "this machine has no apt", hint)
    try:
        suite = load_release().suite
        address = f"{load_mirror().main}/dists/{suite}/InRelease"
        with tempfile.TemporaryDirectory(prefix="labctl-") as scratch:
            target = Path(scratch) / "InRelease"
            process.run(
                [APT_HELPER, "-o", "Acquire::Retries=0", "download-file", address, target],
                timeout=MIRROR_SECONDS,
            )
    except LabError as error:
        hint = "It is needed to install packages and to build images, not for a built lab."
        return Check(name, Status.WARN, f"does not answer: {error.message}", hint)
    return Check(name, Status.OK, f"has '{suite}'")


def parse_available(text: str) -> int:
    """MemAvailable of /proc/meminfo in MiB."""
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def available_mib() -> int:
    return parse_available(Path("/proc/meminfo").read_text(encoding="utf-8"))
