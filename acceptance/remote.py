"""One way to run a command on a node: a node that does not answer is a sentence with its name."""

from __future__ import annotations

from testinfra.backend.base import CommandResult
from testinfra.host import Host

from labctl.errors import LabError
from labctl.waiting import whole

SECONDS = 20


class SilentNodeError(LabError):
    """A node does not answer over ssh."""


def run(host: Host, command: str, *words: str, seconds: int = SECONDS) -> CommandResult:
    """Run a shell command as root, `%s` in it replaced by quoted words; ended after `seconds`,
    scaled by the lab's patience.

    Errors: SilentNodeError.  The lab's ssh configuration gives up on a silent connection by
    itself (ConnectTimeout, ServerAlive), so this never waits for ever.
    """
    shell = host.backend.quote(command, *words)
    try:
        return host.run("timeout %s sh -c %s", str(whole(seconds)), shell)
    except RuntimeError as error:  # testinfra's word for ssh's own exit status 255
        said = getattr(error.args[0] if error.args else None, "stderr", "") or "no reason given"
        name = host.backend.host.name
        raise SilentNodeError(
            f"Node '{name}' did not answer over ssh: {said.strip().splitlines()[-1]}",
            hint=f"Look at 'labctl status', then 'labctl logs {name}'.",
        ) from None
