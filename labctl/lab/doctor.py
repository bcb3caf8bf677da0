"""Checks whether this machine can run a lab: by looking, and by trying what cannot be seen.

What is tried is removed again; nothing else is changed.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path

from labctl.core.checks import (
    Amount,
    Check,
    CheckStatus,
    check_disk,
    free_mib,
    graded,
    refused,
)
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.process import end_running
from labctl.core.progress import Progress
from labctl.core.user import raise_file_limit
from labctl.host.install import install_hint, read_version
from labctl.host.needs import Need
from labctl.host.user import check_files, check_folders, check_user
from labctl.images.debian import load_mirror, load_release, source_lines
from labctl.images.download import APT_HELPER, download
from labctl.images.jitsi import Repository, check_jitsi
from labctl.lab.fit import available_mib, gib, memory_mib, what_fits
from labctl.lab.inotify import check_inotify
from labctl.lab.network import first_free, suggestion
from labctl.providers.table import TABLE, provider_of
from labctl.topology.keys import AUTO_NETWORK
from labctl.topology.spec import Spec
from labctl.topology.workdir import PROJECT

# A JMS with a conference of 400 took 0.9 GB, a bridge 0.44 GB.
MEMORY_WANTED_MIB = 2048
MEMORY_LEAST_MIB = 768
CPUS_WANTED = 2
OWN_INTERFACES = "lab-"
"""How the names of labs' own interfaces begin, whatever the provider."""
MIRROR_SECONDS = 10.0


def examine(spec: Spec, *, progress: Progress) -> list[Check]:
    """Look at everything that a lab of this spec needs, and then try what only a trial shows.

    `spec.provider` is a definite one.  Errors: LabError for a provider that labctl cannot run yet.
    """
    return [*look(spec, progress=progress), *provider_of(spec.provider).prove(progress)]


def look(spec: Spec, *, progress: Progress) -> list[Check]:
    """All checks that make nothing, in the order in which people read them."""
    chosen = provider_of(spec.provider)
    questions: list[Callable[[], list[Check]]] = [
        lambda: [check_python()],
        lambda: [check_user(), *check_folders(), check_files(raise_file_limit())],
        *((lambda need=need: [check_need(need)]) for need in chosen.needs if need.when()),
        chosen.check,
        *([lambda: chosen.check_hosts(spec.hosts)] if spec.hosts else []),
        lambda: [check_disk("disk, project", free_mib(PROJECT))],
        lambda: [check_network(spec.network)],
        lambda: [check_memory(available_mib(), spec), *check_inotify(spec)],
        lambda: [check_cpus(os.cpu_count() or 1)],
        lambda: [check_mirror(spec.debian), check_packages(Repository.of(spec.packages))],
    ]
    progress("doctor", "looking at programs, networks, memory and mirrors ...")
    # Programs that tell their version take up to a second each.
    with ThreadPoolExecutor(max_workers=6) as pool:
        try:
            return [check for checks in pool.map(lambda ask: ask(), questions) for check in checks]
        except KeyboardInterrupt:
            end_running()
            raise


def check_python() -> Check:
    return Check("python", CheckStatus.OK, platform.python_version())


def check_need(need: Need) -> Check:
    """Whether a command is there and tells its version."""
    if need.find() is None:
        hint = f"Run 'labctl doctor --fix'. By hand, as root: {install_hint([need])}"
        found = f"missing: it {need.why}"
        return Check(need.name, CheckStatus.FAIL, found, hint, Finding.PROGRAM_MISSING)
    try:
        return Check(need.name, CheckStatus.OK, read_version(need))
    except LabError as error:
        hint = f"Reinstall it, as root: {install_hint([need])}"
        found = f"does not work: {error.message}"
        return Check(need.name, CheckStatus.FAIL, found, hint, Finding.PROGRAM_BROKEN)


def check_network(network: IPv4Network) -> Check:
    """Whether the lab's network is free, or belongs to labs of labctl already."""
    from labctl.host.network import (
        OTHER_NETWORK,
        NetworkDivertedError,
        NetworkTakenError,
        find_conflict,
        read_interfaces,
    )
    from labctl.host.network import check_network as refuse_taken

    name = "lab network"
    try:
        if network == AUTO_NETWORK:
            free = first_free(refuse_taken)
            if free is not None:
                return Check(name, CheckStatus.OK, f"{free} is the next free one")
            found = "no private network is free"
            return Check(name, CheckStatus.FAIL, found, OTHER_NETWORK, Finding.NETWORK_TAKEN)
        names = [entry.name for entry in read_interfaces()]
        claimed = {name for provider in TABLE.values() for name in provider.own_interfaces()}
        own = [name for name in names if name.startswith(OWN_INTERFACES) or name in claimed]
        refuse_taken(network, allow=own)
        held = find_conflict(network)
    except NetworkTakenError as error:
        free = first_free(refuse_taken)
        taken = refused(name, error, otherwise=Finding.NETWORK_TAKEN)
        fix = error.fix if isinstance(error, NetworkDivertedError) else None
        return replace(taken, hint=suggestion(free, taken.hint) if free else taken.hint, fix=fix)
    except LabError as error:
        return refused(name, error, otherwise=Finding.NETWORK_UNUSABLE)
    return Check(name, CheckStatus.OK, f"{network} is {'a lab of labctl' if held else 'free'}")


def check_memory(available: int, spec: Spec) -> Check:
    """The memory that is still available, in MiB, and the largest lab whose nodes all fit."""
    whole = "'labctl up'" if memory_mib(spec) <= available else ""
    fits = whole or what_fits(spec, available=available)
    found = f"{gib(available)} available, enough for {fits or 'no lab'}"
    hint = f"Stop programs that you do not need, or build the lab that fits: {fits or 'none does'}."
    amount = Amount(available, MEMORY_WANTED_MIB, MEMORY_LEAST_MIB)
    return graded("memory", found, amount, hint=hint, finding=Finding.MEMORY_LOW)


def check_cpus(count: int) -> Check:
    hint = "With one CPU the lab may not be ready before its deadlines."
    amount = Amount(count, CPUS_WANTED, 1)
    return graded("cpus", str(count), amount, hint=hint, finding=Finding.CPU_SINGLE)


def check_mirror(release: str) -> Check:
    """Whether apt's own downloader gets every suite of the images' release from this mirror."""
    name = "debian mirror"
    if not APT_HELPER.exists():
        hint = "Building images needs Debian's tools: build them on Debian and copy them here."
        found, finding = "this machine has no apt", Finding.MIRROR_MISSING
        return Check(name, CheckStatus.WARN, found, hint, finding)
    try:
        lines = source_lines(load_mirror(), load_release(release))
    except LabError as error:
        found = error.message
        hint = error.hint or "Add Debian's own entry to apt's sources."
        return Check(name, CheckStatus.WARN, found, hint, Finding.MIRROR_MISSING)
    with ThreadPoolExecutor(max_workers=4) as pool:
        answers = dict(zip(lines, pool.map(lambda line: silence_of(*line), lines), strict=True))
    silent = [f"'{suite}': {why}" for (_, suite), why in answers.items() if why is not None]
    if not silent:
        suites = ", ".join(f"'{suite}'" for _, suite in lines)
        return Check(name, CheckStatus.OK, f"has {suites}")
    hint = "It is needed to install packages and to build images, but not for a lab that is built."
    found = f"does not answer for {'; '.join(silent)}"
    return Check(name, CheckStatus.WARN, found, hint, Finding.MIRROR_SILENT)


def silence_of(uri: str, suite: str) -> str | None:
    """Why a suite's index cannot be fetched as a bake would; None if it can."""
    try:
        with tempfile.TemporaryDirectory(prefix="labctl-") as scratch:
            target = Path(scratch) / "InRelease"
            download(f"{uri}/dists/{suite}/InRelease", target, seconds=MIRROR_SECONDS)
    except LabError as error:
        return error.message
    return None


def check_packages(repository: Repository) -> Check:
    """Whether Jitsi's own repository answers apt's downloader."""
    name = "jitsi repository"
    if not APT_HELPER.exists():
        return Check(name, CheckStatus.OK, "not asked: this machine has no apt")
    try:
        check_jitsi(repository)
    except LabError as error:
        hint = "Labs are then made of stand-ins, or of .deb files ('--packages debs:DIR')."
        return Check(name, CheckStatus.WARN, error.message, hint, Finding.JITSI_SILENT)
    return Check(name, CheckStatus.OK, f"'{repository.uri}' has '{repository.channel}'")
