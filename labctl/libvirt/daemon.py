"""libvirt's daemon: does it answer, can it be started, can this machine use it at all."""

from __future__ import annotations

import os
from pathlib import Path

from labctl import process
from labctl.checks import Check, Status
from labctl.errors import LabError
from labctl.libvirt.virsh import ask, explained
from labctl.privilege import Privilege, find_privilege, find_program, run_as_root
from labctl.progress import Progress
from labctl.vm.accel import find_accelerator, kvm_cure
from labctl.waiting import Deadline, wait_until
from labctl.workdir import state_dir

START_SECONDS = 20.0

DAEMONS = ("virtlogd", "libvirtd")
"""What runs where there is no systemd; the first keeps the machines' consoles."""


def answers() -> LabError | None:
    """None when the daemon answers this user, else why not."""
    try:
        result = ask("uri", timeout=20)
    except LabError as error:
        return error
    return None if result.code == 0 else explained(result)


def ensure_daemon(progress: Progress) -> None:
    """Start the daemon where it does not run.

    Errors: LabError with the command for the user where that cannot be done from here.
    """
    if (problem := answers()) is None:
        return
    if "may not" in problem.message:
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
    """Start the daemons by hand, as on machines without systemd; they outlive labctl."""
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
    """Stop the daemons again, for a run of tests that started them (no systemd here)."""
    for name in reversed(DAEMONS):
        run_as_root(["pkill", "-x", name], what="Stopping libvirt", check=False)


def find_problem() -> str | None:
    """Why this machine cannot run labs with libvirt, None when it can."""
    if find_program("virsh") is None or find_program("libvirtd") is None:
        return "libvirt is not installed"
    problem = answers()
    if problem is None or os.geteuid() == 0 or find_privilege() is Privilege.SUDO:
        return None
    return problem.message


def check_libvirt() -> list[Check]:
    """What doctor says of libvirt: the daemon, and how fast machines will be."""
    return [_check_daemon(), _check_accelerator()]


def _check_daemon() -> Check:
    name = "libvirt daemon"
    problem = answers()
    if problem is None:
        version = process.run(["virsh", "--version"], timeout=20).output.strip()
        return Check(name, Status.OK, version)
    if "may not" in problem.message:
        return Check(name, Status.FAIL, problem.message, problem.hint)
    return Check(name, Status.WARN, "does not run", "'labctl up' starts it.")


def _check_accelerator() -> Check:
    accelerator = find_accelerator()
    if accelerator.kvm:
        return Check("KVM", Status.OK, accelerator.why)
    hint = (
        "Machines are emulated, some ten times slower: ssh after half a minute, a lab in"
        f" minutes. {kvm_cure()}, or use '--provider docker'."
    )
    return Check("KVM", Status.WARN, accelerator.why, hint)
