"""virsh's complaints in plain words."""

from __future__ import annotations

import pytest

from labctl.core.process import Result
from labctl.providers.libvirt.virsh import MEANINGS, explained

# Standard error of virsh 9.0, as it was seen.
NO_DAEMON = (
    "error: failed to connect to the hypervisor\n"
    "error: Failed to connect socket to '/var/run/libvirt/libvirt-sock': No such file or directory"
)
NOT_ALLOWED = (
    "error: failed to connect to the hypervisor\n"
    "error: authentication unavailable: no polkit agent available to authenticate action"
    " 'org.libvirt.unix.manage'"
)


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        (NO_DAEMON, "does not answer", "systemctl start libvirtd"),
        (NOT_ALLOWED, "may not use libvirt", "usermod -aG libvirt"),
        ("error: cannot write data: No space left on device", "is full", "images prune"),
        (
            "error: internal error: process exited: Cannot allocate memory",
            "does not have enough memory",
            "lab.conf",
        ),
    ],
)
def test_known_complaints(said: str, message: str, hint: str) -> None:
    error = explained(Result(("virsh", "uri"), 1, "", said))
    assert message in error.message
    assert said.splitlines()[-1] in error.message
    assert error.hint is not None
    assert hint in error.hint


def test_an_unknown_complaint_is_shown_as_it_is() -> None:
    error = explained(Result(("virsh", "start", "x"), 1, "", "error: the moon is full"))
    assert "the moon is full" in error.message
    assert "virsh start x" in error.message


def test_a_missing_socket_is_no_question_of_rights() -> None:
    first = [words for words, _, _ in MEANINGS if words in NO_DAEMON]
    assert first == ["Failed to connect socket"]
