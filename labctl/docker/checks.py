"""What doctor asks about the Docker engine; none of it changes anything."""

from __future__ import annotations

import os
from pathlib import Path

from labctl.checks import Check, Status, check_disk, free_mib
from labctl.docker.dockerd import USUAL_MTU, outer_mtu
from labctl.docker.engine import Answer, Asked, ask_engine
from labctl.privilege import find_program


def check_docker() -> list[Check]:
    """The engine, what it is set up for, and room for images where its data lies."""
    asked = ask_engine()
    checks = [check_engine(asked)]
    if asked.engine is not None:
        checks.append(check_cgroups(Path("/sys/fs/cgroup")))
        checks.append(check_mtu(outer_mtu()))
        checks.append(check_disk("disk, images", free_mib(asked.engine.root)))
    return [*checks, check_kvm(Path("/dev/kvm"))]


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


def check_kvm(device: Path) -> Check:
    """A note: Docker needs no KVM, virtual machines are slow without it."""
    if not device.exists():
        found = "absent (Docker needs none)"
    elif os.access(device, os.R_OK | os.W_OK):
        found = "present (whether it boots a guest only a guest can tell)"
    else:
        found = "present, but this user may not use it (Docker needs none)"
    return Check("kvm", Status.OK, found)
