"""Whether the machine has what a provider needs (`labctl.host.needs`), and installing the rest."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterable
from typing import assert_never

from labctl.core import process
from labctl.core.errors import LabError
from labctl.core.privilege import Privilege, find_privilege
from labctl.core.progress import Progress
from labctl.host.needs import Need
from labctl.host.releases import HostRelease, Supplier, supplier_of, this_release
from labctl.images import apt, hashicorp


def missing_needs(needs: Iterable[Need]) -> tuple[Need, ...]:
    """Those of `needs` that apply to this machine and are missing."""
    return tuple(need for need in needs if need.when() and need.find() is None)


def packages_of(needs: Iterable[Need]) -> list[str]:
    """Debian's packages for some needs, each once."""
    return list(dict.fromkeys(name for need in needs for name in need.packages))


def install_hint(needs: Iterable[Need]) -> str:
    """The command that installs what some needs require; advice for what this release lacks."""
    needs = tuple(needs)
    lacking = this_release().lacks
    names = [name for name in packages_of(needs) if name not in lacking]
    advice = [
        need.elsewhere for need in needs if need.elsewhere and lacking.issuperset(need.packages)
    ]
    # No full stop after a command, because it is copied as it is.
    return ". ".join([*([apt.install_line(names)] if names else []), *advice])


def parse_version(text: str) -> str:
    """The version number in a program's output; its first line if there is none."""
    found = re.search(r"\d+(?:\.\d+)+[\w.+~-]*|(?<=iproute2-)\d\S*", text)
    return found[0] if found else text.strip().partition("\n")[0]


def read_version(need: Need) -> str:
    """The version of an installed command, or the path of a file.  Errors: ProcessError."""
    path = need.find() or need.name
    if need.version is None or need.file is not None:
        return path
    environment = {"CHECKPOINT_DISABLE": "1", "VAGRANT_CHECKPOINT_DISABLE": "1"}
    result = process.run([path, *need.version], env=environment, timeout=60)
    # ssh and some others print it on standard error.
    return parse_version(result.output or result.errors)


def ensure_host(needs: Iterable[Need], *, progress: Progress) -> None:
    """Install with apt what a provider needs and this machine lacks.

    Errors: LabError with the exact command as its hint if labctl cannot install it.
    """
    missing = missing_needs(needs)
    if not missing:
        return
    for need in missing:
        progress("host", f"'{need.name}' is missing: it {need.why}.")
    if shutil.which("apt-get") is None:
        raise LabError(
            f"This machine lacks {_commands(missing)}, and has no apt to install them.",
            hint=f"Install your system's packages for {', '.join(packages_of(missing))}.",
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
    release = this_release()
    for need in missing:
        supplier = supplier_of(need, release, known=known, machine=platform.machine())
        if supplier is not Supplier.OWN:
            _install_elsewhere(need, supplier, release, progress=progress)


def _install_elsewhere(
    need: Need, supplier: Supplier, release: HostRelease, *, progress: Progress
) -> None:
    name = need.packages[0]
    hint = need.elsewhere or f"Run as root: {apt.install_line(need.packages)}"
    if supplier is Supplier.NOWHERE:
        raise LabError(f"This machine's apt has no package '{name}'.", hint=hint)
    progress("host", f"{release.name} has no '{name}': using that of {supplier} ...")
    try:
        match supplier:
            case Supplier.BORROWED:
                apt.install_borrowed(name, suite=need.borrowed or "")
            case Supplier.VENDOR:
                hashicorp.install_from_vendor(name, suite=release.codename)
            case Supplier.OWN | Supplier.NOWHERE:
                return
            case _:
                assert_never(supplier)
    except LabError as error:
        raise LabError(
            f"This machine's apt has no package '{name}', and that of {supplier}"
            f" could not be installed: {error.message}",
            hint=hint,
            log=apt.log_file(),
        ) from error


def _commands(needs: Iterable[Need]) -> str:
    return ", ".join(f"'{need.name}'" for need in needs)
