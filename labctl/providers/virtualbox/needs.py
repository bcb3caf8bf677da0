"""Programs that VirtualBox nodes need on this machine."""

from __future__ import annotations

from labctl.host.needs import EVERY_PROVIDER, Need
from labctl.providers.vm.needs import DISKS

VIRTUALBOX_ELSEWHERE = (
    "Debian's stable releases have no 'virtualbox': install it from Oracle,"
    " https://www.virtualbox.org/wiki/Linux_Downloads, or from 'contrib' of sid or fasttrack."
)


VIRTUALBOX = (
    Need("VBoxManage", ("virtualbox",), "runs the nodes", elsewhere=VIRTUALBOX_ELSEWHERE),
    *DISKS,
    *EVERY_PROVIDER,
)
