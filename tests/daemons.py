"""What the tests of a provider need on this machine, and the daemon that answers for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from labctl.core.progress import Progress
from labctl.host.needs import BROWSER, WEBDRIVER, Need
from labctl.providers.docker import engine
from labctl.providers.docker.command import docker
from labctl.providers.docker.needs import DOCKER
from labctl.providers.libvirt import daemon
from labctl.providers.libvirt.needs import LIBVIRT
from labctl.providers.libvirt.virsh import virsh
from labctl.providers.vm.needs import DISKS, QEMU


@dataclass(frozen=True)
class Tested:
    """What the tests of a provider need, and its daemon: does it run, start it, stop it.

    `used` are the machines that run there."""

    needs: tuple[Need, ...]
    runs: Callable[[], bool]
    start: Callable[[Progress], object]
    stop: Callable[[], object]
    used: Callable[[], Sequence[str]]


NPM = Need("npm", ("npm",), "installs the packages of the tests' end-to-end suite")
SSHD = Need(
    "sshd",
    ("openssh-server",),
    "answers Docker's client on the tests' other machines",
    version=None,
)

PROVIDERS: Mapping[str, Tested] = {
    # Disks are baked and booted in every run, without libvirt; some tests look with a browser.
    "docker": Tested(
        (*DOCKER, QEMU, *DISKS, *BROWSER, *WEBDRIVER, NPM),
        lambda: engine.ask_engine().engine is not None,
        engine.ensure_engine,
        engine.stop_engine,
        lambda: docker("ps", "--format", "{{.Names}}").split(),
    ),
    "libvirt": Tested(
        LIBVIRT,
        lambda: daemon.answers() is None,
        daemon.ensure_daemon,
        daemon.stop_daemons,
        lambda: virsh("list", "--name").split(),
    ),
    # Labs over several machines: tests.several starts its daemons itself.
    "several": Tested((SSHD,), lambda: True, lambda _: None, lambda: None, tuple),
}
