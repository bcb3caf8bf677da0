"""What the machine must have for a provider: commands, Debian's packages for them, and why."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labctl import apt, process
from labctl.engine import Answer, ask_engine
from labctl.errors import LabError
from labctl.model import Provider
from labctl.privilege import Privilege, find_privilege, find_program
from labctl.progress import Progress

APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
PACKER_ELSEWHERE = (
    "Debian 13 has no 'packer': take it from HashiCorp's repository,"
    " https://developer.hashicorp.com/packer/install."
)


def always() -> bool:
    return True


def has_apparmor() -> bool:
    """Whether the kernel enforces AppArmor; the engine then refuses to start without its tool."""
    return APPARMOR.is_file() and APPARMOR.read_text(encoding="utf-8").startswith("Y")


def is_plain_user() -> bool:
    return os.geteuid() != 0


def has_no_engine() -> bool:
    """Whether there is neither an engine that answers nor one that could be started."""
    return find_program("dockerd") is None and ask_engine().answer is Answer.NONE


@dataclass(frozen=True, slots=True)
class Need:
    """A command that labctl runs, and where it comes from.

    Of `packages` those are installed that this Debian has.  `version` are the arguments that make
    it tell its version, `when` says whether this machine needs it, `borrowed` is the Debian suite
    that has the package where this one has not, `elsewhere` the advice where that fails, too.
    """

    command: str
    packages: tuple[str, ...]
    why: str
    version: tuple[str, ...] | None = ("--version",)
    when: Callable[[], bool] = always
    borrowed: str | None = None
    elsewhere: str | None = None


EVERY_PROVIDER = (
    Need("vagrant", ("vagrant",), "makes, starts and removes the nodes"),
    Need(
        "packer",
        ("packer",),
        "bakes the images of the roles",
        version=("version",),
        # A static program that needs nothing but libc6, so the older release's runs as well.
        borrowed="bookworm",
        elsewhere=PACKER_ELSEWHERE,
    ),
    Need("mmdebstrap", ("mmdebstrap",), "makes the Debian tree that the images start from"),
    Need("ssh", ("openssh-client",), "reaches the nodes", version=("-V",)),
    Need("ssh-keygen", ("openssh-client",), "makes a lab's keys", version=None),
    Need("ip", ("iproute2",), "tells whether the lab's network is free", version=("-V",)),
)
# Debian 12 has client and engine in one package, Debian 13 in two.
DOCKER = (
    Need("docker", ("docker.io", "docker-cli"), "runs the nodes as containers"),
    Need("dockerd", ("docker.io",), "is the engine of the containers", when=has_no_engine),
    Need("apparmor_parser", ("apparmor",), "is wanted by the engine here", when=has_apparmor),
    Need(
        "newuidmap",
        ("uidmap",),
        "lets mmdebstrap work without root",
        version=None,
        when=is_plain_user,
    ),
)
# For commands that people are given to type; what labctl installs itself it asks apt about.
NOT_IN_DEBIAN: Mapping[str, set[str]] = {"12": {"docker-cli"}, "13": {"packer"}}
NEEDS: Mapping[Provider, tuple[Need, ...]] = {Provider.DOCKER: (*DOCKER, *EVERY_PROVIDER)}


def needs_of(provider: Provider) -> tuple[Need, ...]:
    """What this machine must have for a provider; LabError for one that labctl cannot run yet."""
    if provider not in NEEDS:
        known = ", ".join(f"'{name}'" for name in NEEDS)
        raise LabError(f"Provider '{provider}' is not supported yet.", hint=f"Available: {known}.")
    return tuple(need for need in NEEDS[provider] if need.when())


def missing_needs(provider: Provider) -> tuple[Need, ...]:
    """What a provider needs and this machine has not."""
    return tuple(need for need in needs_of(provider) if find_program(need.command) is None)


def packages_of(needs: Iterable[Need]) -> list[str]:
    """Debian's packages for some needs, each once."""
    return list(dict.fromkeys(name for need in needs for name in need.packages))


def install_hint(needs: Iterable[Need]) -> str:
    """The command by which a person installs what some needs are about, and where that ends."""
    needs = tuple(needs)
    lacking = NOT_IN_DEBIAN.get(platform.freedesktop_os_release().get("VERSION_ID", ""), set())
    names = [name for name in packages_of(needs) if name not in lacking]
    advice = [
        need.elsewhere for need in needs if need.elsewhere and lacking.issuperset(need.packages)
    ]
    # No full stop after a command that is copied as it stands.
    return ". ".join([*([apt.install_line(names)] if names else []), *advice])


def parse_version(text: str) -> str:
    """The version number in what a program says of itself; its first line where there is none."""
    found = re.search(r"\d+(?:\.\d+)+[\w.+~-]*|(?<=iproute2-)\d\S*", text)
    return found[0] if found else text.strip().partition("\n")[0]


def read_version(need: Need) -> str:
    """The version of an installed command; ProcessError when it does not work."""
    path = find_program(need.command) or need.command
    if need.version is None:
        return path
    environment = {"CHECKPOINT_DISABLE": "1", "VAGRANT_CHECKPOINT_DISABLE": "1"}
    result = process.run([path, *need.version], env=environment, timeout=60)
    # ssh and some others tell it on standard error.
    return parse_version(result.output or result.errors)


def ensure_host(provider: Provider, *, progress: Progress) -> None:
    """Install through apt what a provider needs and this machine has not.

    Errors: LabError whose hint is the exact command where that cannot be done from here.
    """
    missing = missing_needs(provider)
    if not missing:
        return
    for need in missing:
        progress("host", f"'{need.command}' is missing: it {need.why}.")
    if shutil.which("apt-get") is None:
        raise LabError(
            f"This machine lacks {_commands(missing)}, and it has no apt to install them.",
            hint=f"Install what your system calls {', '.join(packages_of(missing))}.",
        )
    if find_privilege() is Privilege.NONE:
        raise LabError(
            f"This machine lacks {_commands(missing)}, and installing needs root.",
            hint=f"Run as root: {install_hint(missing)}",
        )
    progress("host", f"installing {', '.join(packages_of(missing))} (log: {apt.log_file()}) ...")
    _install(missing, progress=progress)
    for need in missing:
        progress("host", f"'{need.command}' is installed: {read_version(need)}.")


def _install(missing: tuple[Need, ...], *, progress: Progress) -> None:
    known = apt.known_packages(packages_of(missing))
    if not all(known.intersection(need.packages) for need in missing):
        apt.update_lists()
        known = apt.known_packages(packages_of(missing))
    if names := [name for name in packages_of(missing) if name in known]:
        apt.install(names)
    for need in missing:
        if not known.intersection(need.packages):
            _install_elsewhere(need, progress=progress)


def _install_elsewhere(need: Need, *, progress: Progress) -> None:
    name = need.packages[0]
    hint = need.elsewhere or f"Run as root: {apt.install_line(need.packages)}"
    if need.borrowed is None or platform.machine() not in ("x86_64", "aarch64"):
        raise LabError(f"This machine's apt has no package '{name}'.", hint=hint)
    progress("host", f"this Debian has no '{name}': taking the package of '{need.borrowed}' ...")
    try:
        apt.install_borrowed(name, suite=need.borrowed)
    except LabError as error:
        raise LabError(
            f"This machine's apt has no package '{name}', and that of suite '{need.borrowed}'"
            f" could not be had: {error.message}",
            hint=hint,
            log=apt.log_file(),
        ) from error


def _commands(needs: Iterable[Need]) -> str:
    return ", ".join(f"'{need.command}'" for need in needs)
