"""Remove a lab whose files cannot be read, by its name and folder.

Every provider marks what it makes with the lab's folder, so no topology is needed to find it.
"""

from __future__ import annotations

import shutil

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.core.waiting import Deadline
from labctl.host.install import missing_needs
from labctl.node.ssh import close_masters
from labctl.providers.answer import ask_states
from labctl.providers.base import Provider
from labctl.providers.lock import ORPHAN_SECONDS, lock_of, wait_unlocked
from labctl.providers.table import TABLE
from labctl.topology.spec import ProviderName
from labctl.topology.workdir import Workdir


def makers_of(folder: Workdir) -> tuple[ProviderName, ...]:
    """The providers of the lab's machines, according to Vagrant's own state."""
    named = {path.name for path in folder.vagrant.glob("machines/*/*")}
    return tuple(name for name in TABLE if name in named)


def remove_leftovers(folder: Workdir, *, progress: Progress) -> bool:
    """Remove machines and networks marked with the lab's folder; true if there were machines.

    The engine or daemon of a provider that has made machines is started if it does not run.  If
    Vagrant's state names none, all that are installed are asked, or said not to have been.
    Errors: LabError if one that has made machines does not answer.
    """
    close_masters(folder)
    wait_unlocked(lock_of(folder), deadline=Deadline.after(ORPHAN_SECONDS))
    makers = makers_of(folder)
    found = False
    for name, provider in TABLE.items():
        if makers and name not in makers:
            continue
        states = _ask(provider, folder, needed=bool(makers), progress=progress)
        if states is None:
            continue
        if states:
            found = True
            progress("machines", f"removing the machines of '{name}'")
        # Its network may exist without them.
        provider.clean(folder)
    shutil.rmtree(folder.vagrant, ignore_errors=True)
    return found


def _ask(
    provider: Provider, folder: Workdir, *, needed: bool, progress: Progress
) -> dict[str, str] | None:
    """The states of the provider's machines; None if it is not `needed` and does not answer.

    A daemon is started for a lab that may have machines by it, but not for a name without a folder.
    """
    if needed:
        return ask_states(provider, folder, progress=progress)
    try:
        if missing_needs(provider.needs) or not any(folder.path.glob("*")):
            return provider.read_states(folder)
        return ask_states(provider, folder, progress=progress)
    except LabError as error:
        if not missing_needs(provider.needs):
            progress("machines", f"'{provider.name}' was not asked for machines: {error.message}")
        return None
