"""Ask a provider about a lab's machines; its engine or daemon is started if it does not run."""

from __future__ import annotations

from labctl.core.errors import LabError
from labctl.core.progress import Progress
from labctl.providers.base import Provider
from labctl.topology.workdir import Workdir


def ask_states(provider: Provider, folder: Workdir, *, progress: Progress) -> dict[str, str]:
    """The states of a lab's machines, by node, in Vagrant's words.

    Machines outlive their daemon, and so do the networks of both: whoever looks at a lab or
    removes it needs the daemon as much as `up` does.  Errors: LabError if it cannot be started.
    """
    try:
        return provider.read_states(folder)
    except LabError:
        provider.ensure(progress)
        return provider.read_states(folder)
