"""Machines that VirtualBox runs for a short time, for the boot check if there is no QEMU.

Not yet run beyond `startvm`; see docs/providers.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from labctl.providers.virtualbox.manage import ask, parse_info, vboxmanage
from labctl.providers.virtualbox.removal import remove_machine
from labctl.providers.vm.accel import Accelerator
from labctl.providers.vm.bootcheck import boot_name
from labctl.providers.vm.guest import MEMORY_MIB, Guest, make_setup, wait_guest
from labctl.providers.vm.ovf import make_appliance
from labctl.topology.spec import Role

HARDWARE = "VirtualBox"
IMPORT_SECONDS = 300.0


@contextmanager
def boot(disk: Path, role: Role, accelerator: Accelerator, scratch: Path) -> Iterator[Guest]:
    """Boot a disk, which is not changed; the machine is always removed at the end.

    Errors: those of `wait_guest`, and VBoxManage's in plain words.
    """
    start = make_setup(boot_name(role), scratch=scratch)
    machine = f"labctl-{start.name}-{start.port}"
    appliance = start.folder / "appliance"
    appliance.mkdir()
    ovf, *_ = make_appliance(
        disk,
        reference=machine,
        role=role,
        memory_mib=MEMORY_MIB,
        cpus=1,
        folder=appliance,
        log=start.folder / "import.log",
    )
    try:
        vboxmanage(
            *("import", str(ovf), "--vsys", "0", "--vmname", machine),
            *("--basefolder", str(start.folder / "machine")),
            timeout=IMPORT_SECONDS,
        )
        for words in settings(machine, port=start.port, console=start.console, seed=start.seed):
            vboxmanage(*words)
        vboxmanage("startvm", machine, "--type", "headless")
        yield wait_guest(
            start, accelerator=accelerator, alive=lambda: is_running(machine), disk=disk
        )
    finally:
        remove_machine(machine)


def settings(machine: str, *, port: int, console: Path, seed: Path) -> list[list[str]]:
    """Settings of a machine before it starts: ssh on loopback, console in a file, its seed."""
    return [
        ["modifyvm", machine, "--natpf1", f"ssh,tcp,127.0.0.1,{port},,22"],
        ["modifyvm", machine, "--uart1", "0x3F8", "4", "--uartmode1", "file", str(console)],
        ["modifyvm", machine, "--rtcuseutc", "on", "--graphicscontroller", "vmsvga"],
        [
            *("storageattach", machine, "--storagectl", "SATA", "--port", "1", "--device", "0"),
            *("--type", "dvddrive", "--medium", str(seed)),
        ],
    ]


def is_running(machine: str) -> bool:
    """Whether the machine is still running."""
    info = parse_info(ask("showvminfo", machine, "--machinereadable").output)
    return info.get("VMState") in ("running", "starting")
