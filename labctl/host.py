"""Whether the machine has what a provider needs (`labctl.hostneeds`), and installing the rest."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterable, Mapping

from labctl import apt, process
from labctl.errors import LabError
from labctl.hostneeds import Need
from labctl.privilege import Privilege, find_privilege
from labctl.progress import Progress

# For commands that people are given to type; what labctl installs itself it asks apt about.
NOT_IN_DEBIAN: Mapping[str, set[str]] = {
    "12": {"docker-cli", "virtualbox"},
    "13": {"packer", "virtualbox"},
}


def missing_needs(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Those of `needs` that count on this machine and that it has not."""
    return tuple(need for need in needs if need.when() and need.find() is None)


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
    """The version of an installed command, the place of a file; ProcessError when it is broken."""
    path = need.find() or need.name
    if need.version is None or need.file is not None:
        return path
    environment = {"CHECKPOINT_DISABLE": "1", "VAGRANT_CHECKPOINT_DISABLE": "1"}
    result = process.run([path, *need.version], env=environment, timeout=60)
    # ssh and some others tell it on standard error.
    return parse_version(result.output or result.errors)


def ensure_host(needs: Iterable[Need], *, progress: Progress) -> None:
    """Install through apt what a provider needs and this machine has not.

    Errors: LabError whose hint is the exact command where that cannot be done from here.
    """
    missing = missing_needs(needs)
    if not missing:
        return
    for need in missing:
        progress("host", f"'{need.name}' is missing: it {need.why}.")
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
        progress("host", f"'{need.name}' is installed: {read_version(need)}.")


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
    return ", ".join(f"'{need.name}'" for need in needs)
