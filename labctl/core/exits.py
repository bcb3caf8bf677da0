"""The exit statuses of labctl, each with its meaning; help, the man page and the docs show them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Why labctl ended."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_JUDGED = 3
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "Done, and everything is as it should be.",
    ExitCode.FAILED: "Something failed, or is not as it should be; the last lines say what.",
    ExitCode.USAGE: "The command line or lab.conf is wrong; nothing was done.",
    ExitCode.NOT_JUDGED: "A gate could not reach a verdict, because of this machine or of labctl.",
    ExitCode.INTERRUPTED: "Interrupted; run the same command again to continue.",
}

OTHERS = (
    "'verify' ends with pytest's own status (1: a test failed, 5: no test matched), 'exec' and"
    " 'ssh' with that of the command on the node."
)
"""The verbs that pass on another program's status."""
