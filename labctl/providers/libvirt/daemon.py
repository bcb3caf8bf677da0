"""libvirt's daemon: whether it answers, can be started, and can be used on this machine."""

from __future__ import annotations

import os
from pathlib import Path

from labctl.core import process
from labctl.core.checks import Check, CheckStatus, refused
from labctl.core.errors import LabError
from labctl.core.findings import Finding
from labctl.core.privilege import Privilege, find_privilege, find_program, run_as_root
from labctl.core.progress import Progress
from labctl.core.waiting import Deadline, wait_until
from labctl.providers.libvirt.virsh import ask, explained
from labctl.providers.vm.accel import find_accelerator, kvm_cure
from labctl.topology.workdir import state_dir

START_SECONDS = 20.0

DAEMONS = ("virtlogd", "libvirtd")
"""The daemons to start without systemd; the first one keeps the machines' consoles."""


def answers() -> LabError | None:
    """None if the daemon answers this user, else the reason why not."""
    try:
        result = ask("uri", timeout=20)
    except LabError as error:
        return error
    return None if result.code == 0 else explained(result)


def ensure_daemon(progress: Progress) -> None:
    """Start the daemon if it does not run.

    Errors: LabError with the command for the user if labctl cannot start it.
    """
    if (problem := answers()) is None:
        return
    if "may not" in problem.message or not _is_installed():
        raise problem
    progress("host", "starting the libvirt daemon")
    if Path("/run/systemd/system").is_dir():
        run_as_root(["systemctl", "start", "libvirtd.service"], what="Starting libvirt")
    else:
        _spawn_daemons()
    wait_until(lambda: answers() is None, deadline=Deadline.after(START_SECONDS), interval=0.2)
    if (problem := answers()) is not None:
        problem.log = state_dir() / "libvirtd.log"
        raise problem


def _spawn_daemons() -> None:
    """Start the daemons directly, on machines without systemd; they outlive labctl."""
    if find_privilege() not in (Privilege.ROOT, Privilege.SUDO):
        raise LabError(
            "Starting the libvirt daemon needs root.",
            hint="Run as root: virtlogd --daemon && libvirtd --daemon",
        )
    log = state_dir() / "libvirtd.log"
    for name in DAEMONS:
        program = find_program(name) or name
        run_as_root([program, "--daemon"], what="Starting libvirt", log=log, check=False)


def stop_daemons() -> None:
    """Stop the daemons after a test run that started them, on machines without systemd."""
    for name in reversed(DAEMONS):
        run_as_root(["pkill", "-x", name], what="Stopping libvirt", check=False)


def _is_installed() -> bool:
    return find_program("virsh") is not None and find_program("libvirtd") is not None


def find_problem() -> str | None:
    """Why this machine cannot run labs with libvirt; None if it can."""
    if not _is_installed():
        return "libvirt is not installed"
    problem = answers()
    if problem is None or os.geteuid() == 0 or find_privilege() is Privilege.SUDO:
        return None
    return problem.message


def check_libvirt() -> list[Check]:
    """The checks of `labctl doctor` for libvirt: the daemon, and how fast machines will be."""
    return [_check_daemon(), _check_accelerator()]


def _check_daemon() -> Check:
    name = "libvirt daemon"
    problem = answers()
    if problem is None:
        version = process.run(["virsh", "--version"], timeout=20).output.strip()
        return Check(name, CheckStatus.OK, version)
    if "may not" in problem.message:
        return refused(name, problem, otherwise=Finding.LIBVIRT_DENIED)
    hint, finding = "'labctl up' starts it.", Finding.LIBVIRT_STOPPED
    return Check(name, CheckStatus.WARN, "does not run", hint, finding)


def _check_accelerator() -> Check:
    accelerator = find_accelerator()
    if accelerator.kvm:
        return Check("KVM", CheckStatus.OK, accelerator.why)
    hint = (
        "Machines are emulated, about ten times slower: ssh answers after half a minute, a lab"
        f" takes minutes. {kvm_cure()}, or use '--provider docker'."
    )
    return Check("KVM", CheckStatus.WARN, accelerator.why, hint, Finding.KVM_UNUSABLE)
