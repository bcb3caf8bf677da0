"""One way to run a command on a node: a node that does not answer is a sentence with its name."""

from __future__ import annotations

from dataclasses import dataclass

from testinfra.backend.base import CommandResult
from testinfra.host import Host

from labctl.core.errors import LabError
from labctl.core.waiting import Patience

SECONDS = 20


class SilentNodeError(LabError):
    """A node does not answer over ssh."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A node over ssh, as root, and how much longer than others it may take."""

    host: Host
    patience: Patience


def run(machine: Machine, command: str, *words: str, seconds: int = SECONDS) -> CommandResult:
    """Run a shell command as root, `%s` in it replaced by quoted words; ended after `seconds`,
    scaled by the machine's patience.

    Errors: SilentNodeError.  The lab's ssh configuration gives up on a silent connection by
    itself (ConnectTimeout, ServerAlive), so this never waits for ever.
    """
    backend = machine.host.backend
    shell, limit = backend.quote(command, *words), str(machine.patience.whole(seconds))
    try:
        return machine.host.run("timeout %s sh -c %s", limit, shell)
    except RuntimeError as error:  # testinfra's word for ssh's own exit status 255
        said = getattr(error.args[0] if error.args else None, "stderr", "") or "no reason given"
        name = backend.host.name
        raise SilentNodeError(
            f"Node '{name}' did not answer over ssh: {said.strip().splitlines()[-1]}",
            hint=f"Run 'labctl status', then 'labctl logs {name}'.",
        ) from None
