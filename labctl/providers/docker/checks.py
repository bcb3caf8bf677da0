"""The checks of `labctl doctor` for the Docker engine; none changes anything."""

from __future__ import annotations

import os
from pathlib import Path

from labctl.core.checks import Check, CheckStatus, Fix, check_disk, free_mib, refused
from labctl.core.findings import Finding
from labctl.core.privilege import find_program
from labctl.host.routes import USUAL_MTU, outer_mtu
from labctl.providers.docker.engine import Asked, EngineAnswer, ask_engine
from labctl.providers.docker.filters import check_filters
from labctl.providers.docker.kind import find_endpoint, refuse_kind
from labctl.providers.docker.sharing import refuse_files
from labctl.providers.vm.accel import kvm_problem


def check_docker() -> list[Check]:
    """Check the engine, its configuration, and the room for images in its data folder."""
    asked = ask_engine()
    checks = [check_engine(asked)]
    if asked.engine is not None:
        checks.append(check_cgroups(Path("/sys/fs/cgroup")))
        checks.append(check_mtu(outer_mtu()))
        checks.append(check_filters())
        checks.append(check_disk("disk, images", free_mib(asked.engine.root)))
    return [*checks, check_kvm(Path("/dev/kvm"))]


def check_engine(asked: Asked) -> Check:
    name = "docker engine"
    if asked.engine is not None:
        engine = asked.engine
        error = refuse_kind(engine.kind, find_endpoint())
        if error is not None:
            return refused(name, error, otherwise=Finding.ENGINE_SILENT)
        if (error := refuse_files(find_endpoint())) is not None:
            return refused(name, error, otherwise=Finding.ENGINE_FILES)
        found = f"{engine.version}, storage {engine.storage}, cgroups {engine.cgroups}"
        if engine.storage == "vfs":
            hint = "Storage 'vfs' copies every image: use a file system that supports overlays."
            return Check(name, CheckStatus.WARN, found, hint, Finding.STORAGE_VFS)
        return Check(name, CheckStatus.OK, found)
    if asked.answer is EngineAnswer.DENIED:
        hint = 'Run: sudo usermod -aG docker "$USER" && newgrp docker'
        found = "is running, but this user may not use it"
        return Check(name, CheckStatus.FAIL, found, hint, Finding.ENGINE_DENIED)
    if find_program("dockerd") is not None and not os.environ.get("DOCKER_HOST"):
        hint = "'labctl up' starts it."
        return Check(name, CheckStatus.WARN, "does not run", hint, Finding.ENGINE_STOPPED)
    found, hint = f"does not answer: {asked.said}", "Start it, or install the package 'docker.io'."
    return Check(name, CheckStatus.FAIL, found, hint, Finding.ENGINE_SILENT)


def check_cgroups(root: Path) -> Check:
    """Check which control groups the nodes' systemd finds; it must be able to write there."""
    unified = (root / "cgroup.controllers").is_file()
    if not unified and not (root / "systemd").is_dir():
        script = (
            f"mkdir -p {root}/systemd && mount -t cgroup -o none,name=systemd cgroup {root}/systemd"
        )
        fix = Fix(
            ("sh", "-c", script), "systemd's hierarchy is mounted until this machine restarts"
        )
        found, finding = f"no hierarchy for systemd in '{root}'", Finding.CGROUPS_MISSING
        return Check("cgroups", CheckStatus.FAIL, found, fix.hint, finding, fix)
    return Check("cgroups", CheckStatus.OK, "v2" if unified else "v1, with systemd's hierarchy")


def check_mtu(mtu: int) -> Check:
    """Tell the MTU of the way out.

    A small one needs nothing from the engine, whoever started it: bakes use this machine's own
    network, and a lab's network leads nowhere else.
    """
    small = f", below {USUAL_MTU}; bakes use this machine's own network" if mtu < USUAL_MTU else ""
    return Check("mtu", CheckStatus.OK, f"{mtu} on the way out{small}")


def check_kvm(device: Path) -> Check:
    """Check for KVM, as a note: Docker does not need it; virtual machines are slow without it."""
    problem = kvm_problem(device)
    found = "a guest booted with it" if problem is None else f"not usable: {problem}"
    return Check("kvm", CheckStatus.OK, f"{found} (Docker needs none)")
