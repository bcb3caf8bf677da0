"""What Vagrant's failures mean with libvirt, from its recorded words."""

from __future__ import annotations

from labctl.providers.base import PassingError
from labctl.providers.libvirt.provider import LibvirtProvider

GIVEN_UP = """\
An error occurred while executing the action on the 'jms'
machine. Please handle this error then try again:

The guest machine entered an invalid state while waiting for it
to boot. Valid states are 'running'. The machine is in the ''
state. Please verify everything is configured
properly and try again.
"""


def test_a_guest_without_a_state_is_worth_a_second_try() -> None:
    found = LibvirtProvider().explain(GIVEN_UP)
    assert isinstance(found, PassingError)
    assert found.message.startswith("libvirt did not say how")


def test_a_guest_that_is_off_is_not() -> None:
    assert LibvirtProvider().explain(GIVEN_UP.replace("''", "'shutoff'")) is None
    assert LibvirtProvider().explain("") is None
