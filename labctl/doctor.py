"""Whether this machine can hold a lab: one check per question, none of which changes anything."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network
from pathlib import Path

from labctl import process
from labctl.debian import load_mirror, load_release
from labctl.dockerd import USUAL_MTU, outer_mtu
from labctl.engine import Answer, Asked, ask_engine
from labctl.errors import LabError
from labctl.host import Need, install_hint, needs_of, read_version
from labctl.model import Provider
from labctl.privilege import find_program
from labctl.workdir import ROOT

MIB = 1024**2
# Seen with stand-ins: a base of 0.2 GB and role images of 0.4 GB; Java is more, and a bake holds
# the tree, its tar and the layers at once.
DISK_WANTED_MIB = 4096
DISK_LEAST_MIB = 1024
# A JMS with a conference of 400 took 0.9 GB, a bridge 0.44 GB.
MEMORY_WANTED_MIB = 2048
MEMORY_LEAST_MIB = 768
CPUS_WANTED = 2
APT_HELPER = Path("/usr/lib/apt/apt-helper")
MIRROR_SECONDS = 20.0


class Status(StrEnum):
    """How a check came out: a lab can be built, can be built but ..., cannot be built."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at, what was found, and what to do about it."""

    name: str
    status: Status
    found: str
    hint: str | None = None


def examine(provider: Provider, network: IPv4Network) -> list[Check]:
    """All checks for a provider and a lab's network, in the order in which they are read.

    Errors: LabError for a provider that labctl cannot run yet.
    """
    questions: list[Callable[[], list[Check]]] = [
        lambda: [check_python()],
        *((lambda need=need: [check_need(need)]) for need in needs_of(provider)),
        check_docker,
        lambda: [check_network(network)],
        lambda: [check_memory(available_mib())],
        lambda: [check_cpus(os.cpu_count() or 1)],
        lambda: [check_kvm(Path("/dev/kvm"))],
        lambda: [check_mirror()],
    ]
    # Programs that tell their version take up to a second each.
    with ThreadPoolExecutor(max_workers=6) as pool:
        return [check for checks in pool.map(lambda ask: ask(), questions) for check in checks]


def render_checks(checks: Iterable[Check]) -> str:
    """The checks as a table, each hint below its line."""
    checks = list(checks)
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        lines.append(f"{check.status:<5} {check.name:<{width}}  {check.found}")
        if check.hint and check.status is not Status.OK:
            lines.append(f"{'':<5} {'':<{width}}  -> {check.hint}")
    return "\n".join(lines)


def check_python() -> Check:
    return Check("python", Status.OK, platform.python_version())


def check_need(need: Need) -> Check:
    """Whether a command is there and tells its version."""
    if find_program(need.command) is None:
        hint = f"Run 'labctl doctor --fix'. By hand, as root: {install_hint([need])}"
        return Check(need.command, Status.FAIL, f"missing: it {need.why}", hint)
    try:
        return Check(need.command, Status.OK, read_version(need))
    except LabError as error:
        hint = f"Install it anew, as root: {install_hint([need])}"
        return Check(need.command, Status.FAIL, f"does not work: {error.message}", hint)


def check_docker() -> list[Check]:
    """The engine, what it is set up for, and room for images where its data lies."""
    asked = ask_engine()
    checks = [check_engine(asked)]
    folders = {"disk, project": ROOT}
    if asked.engine is not None:
        checks.append(check_cgroups(Path("/sys/fs/cgroup")))
        checks.append(check_mtu(outer_mtu()))
        folders["disk, images"] = asked.engine.root
    return [*checks, *(check_disk(name, free_mib(path)) for name, path in folders.items())]


def check_engine(asked: Asked) -> Check:
    name = "docker engine"
    if asked.engine is not None:
        engine = asked.engine
        found = f"{engine.version}, storage {engine.storage}, cgroups {engine.cgroups}"
        if engine.storage == "vfs":
            hint = "Storage 'vfs' copies every image whole: use a file system that has overlays."
            return Check(name, Status.WARN, found, hint)
        return Check(name, Status.OK, found)
    if asked.answer is Answer.DENIED:
        hint = 'Run: sudo usermod -aG docker "$USER" && newgrp docker'
        return Check(name, Status.FAIL, "runs, but this user may not use it", hint)
    if find_program("dockerd") is not None and not os.environ.get("DOCKER_HOST"):
        hint = "'labctl up' starts it."
        return Check(name, Status.WARN, "does not run", hint)
    return Check(name, Status.FAIL, f"does not answer: {asked.said}", "See above.")


def check_cgroups(root: Path) -> Check:
    """Which control groups the nodes' systemd will find; it needs to write there."""
    unified = (root / "cgroup.controllers").is_file()
    if not unified and not (root / "systemd").is_dir():
        hint = (
            "Mount them as root: mkdir -p /sys/fs/cgroup/systemd &&"
            " mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd"
        )
        return Check("cgroups", Status.FAIL, f"no hierarchy for systemd in '{root}'", hint)
    return Check("cgroups", Status.OK, "v2" if unified else "v1, with systemd's hierarchy")


def check_mtu(mtu: int) -> Check:
    if mtu >= USUAL_MTU:
        return Check("mtu", Status.OK, str(mtu))
    hint = (
        "An engine that labctl starts knows; for one that your system starts, put"
        f' {{"mtu": {mtu}}} into /etc/docker/daemon.json if downloads in containers stall.'
    )
    return Check("mtu", Status.WARN, f"{mtu} on the way out, below {USUAL_MTU}", hint)


def check_network(network: IPv4Network) -> Check:
    """Whether the lab's network is free, or belongs to labs of labctl already."""
    from labctl.network import find_conflict, network_problem, read_interfaces

    name = "lab network"
    if problem := network_problem(network):
        return Check(name, Status.FAIL, problem, "The default is 192.168.56.0/24.")
    try:
        own = [entry.name for entry in read_interfaces() if entry.name.startswith("lab-")]
        conflict = find_conflict(network, allow=own)
        held = find_conflict(network)
    except LabError as error:
        return Check(name, Status.FAIL, error.message, error.hint)
    if conflict is not None:
        hint = "Disconnect it, or choose another network for the lab with '--network'."
        return Check(name, Status.FAIL, f"{network} is taken by {conflict}", hint)
    return Check(name, Status.OK, f"{network} is {'a lab of labctl' if held else 'free'}")


def check_disk(name: str, free: int) -> Check:
    """Room in MiB for images and logs."""
    found = f"{free / 1024:.1f} GiB free"
    hint = f"Make room: building images takes about {DISK_WANTED_MIB // 1024} GiB."
    return _graded(name, found, free, DISK_WANTED_MIB, DISK_LEAST_MIB, hint)


def check_memory(available: int) -> Check:
    """Memory in MiB that programs can still get."""
    found = f"{available / 1024:.1f} GiB available"
    hint = "End what is not needed, or build a smaller lab (fewer bridges and vnodes)."
    return _graded("memory", found, available, MEMORY_WANTED_MIB, MEMORY_LEAST_MIB, hint)


def check_cpus(count: int) -> Check:
    hint = "With one CPU deadlines may pass before the lab is ready."
    return _graded("cpus", str(count), count, CPUS_WANTED, 1, hint)


def check_kvm(device: Path) -> Check:
    """A note: Docker needs no KVM, virtual machines are slow without it."""
    if not device.exists():
        found = "absent (Docker needs none)"
    elif os.access(device, os.R_OK | os.W_OK):
        found = "present (whether it boots a guest only a guest can tell)"
    else:
        found = "present, but this user may not use it (Docker needs none)"
    return Check("kvm", Status.OK, found)


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


def free_mib(path: Path) -> int:
    """Free space in MiB on the file system of a path, or of the nearest folder above it."""
    for folder in (path, *path.parents):
        try:
            return shutil.disk_usage(folder).free // MIB
        except OSError:
            continue
    return 0


def parse_available(text: str) -> int:
    """MemAvailable of /proc/meminfo in MiB."""
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0


def available_mib() -> int:
    return parse_available(Path("/proc/meminfo").read_text(encoding="utf-8"))


def _graded(name: str, found: str, value: int, wanted: int, least: int, hint: str) -> Check:
    if value >= wanted:
        return Check(name, Status.OK, found)
    return Check(name, Status.WARN if value >= least else Status.FAIL, found, hint)
