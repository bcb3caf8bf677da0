"""The `VBoxManage` command: running it, and reading its output."""

from __future__ import annotations

import re

from labctl.core.errors import LabError
from labctl.core.process import ProcessError, Result, failure, run
from labctl.providers.virtualbox.messages import INSTALL_HINT, NOT_INSTALLED, find_cause

COMMAND = "VBoxManage"
SECONDS = 60.0
"""How long one call may take; the first call starts VirtualBox's service."""

INACCESSIBLE = "<inaccessible>"
_SETTING = re.compile(r'(?m)^"?([^"=\n]+)"?=(?:"(.*?)"?|(.*))$')
ABSENT = re.compile(r"VBOX_E_OBJECT_NOT_FOUND|Could not find a registered machine")


def vboxmanage(*words: str, timeout: float = SECONDS) -> str:
    """The standard output of a `VBoxManage` command.

    Errors: LabError, with advice if the cause is known.
    """
    result = ask(*words, timeout=timeout)
    if result.code != 0:
        raise describe_failure(result)
    return result.output


def ask(*words: str, timeout: float = SECONDS) -> Result:
    """The result of a `VBoxManage` command, even if it failed; LabError if it is missing."""
    try:
        # Its output is parsed, so it must not be in the user's language.
        return run([COMMAND, *words], env={"LC_ALL": "C"}, check=False, timeout=timeout)
    except ProcessError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise LabError(NOT_INSTALLED, hint=INSTALL_HINT) from error
        raise


def describe_failure(result: Result) -> LabError:
    """The error for a `VBoxManage` call that failed."""
    # Besides errors, it prints progress (0%...10%...) or its usage.
    errors = re.findall(r"(?m)^VBoxManage: error: .*$|^.*Context: .*$", result.errors)
    said = "\n".join(errors) or result.errors
    # Debian's command always warns about a missing kernel module, on standard output.
    if cause := find_cause(said) or find_cause(result.output):
        return LabError(cause.message, hint=cause.hint)
    return failure(Result(result.argv, result.code, result.output, said))


def is_absent(result: Result) -> bool:
    """Whether a call failed because VirtualBox has no such machine."""
    return result.code != 0 and ABSENT.search(result.errors) is not None


def parse_vms(text: str) -> dict[str, str]:
    """Machine ids and names from `list vms`; a machine whose files are gone has no name."""
    found = re.findall(r'(?m)^"(.*)" \{([0-9a-f-]+)\}$', text)
    return {uuid: "" if name == INACCESSIBLE else name for name, uuid in found}


def parse_info(text: str) -> dict[str, str]:
    """Settings from `showvminfo --machinereadable`."""
    found: dict[str, str] = {}
    for key, quoted, plain in _SETTING.findall(text):
        # The description comes late, and its lines may look like settings.
        found.setdefault(key, quoted or plain)
    return found


def parse_extradata(text: str) -> dict[str, str]:
    """Keys and values from `getextradata NAME enumerate`."""
    return dict(re.findall(r"(?m)^Key: (.+?), Value: (.*)$", text))


def parse_blocks(text: str) -> list[dict[str, str]]:
    """The items of a `list` command: blocks of `Name:  value` lines, separated by empty lines."""
    blocks = []
    for block in re.split(r"\n\s*\n", text):
        if fields := dict(re.findall(r"(?m)^([A-Z][\w .]*?): *(.*?) *$", block)):
            blocks.append(fields)
    return blocks
