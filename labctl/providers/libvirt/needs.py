"""Programs that libvirt nodes need on this machine."""

from __future__ import annotations

from labctl.host.needs import EVERY_PROVIDER, Need
from labctl.providers.vm.needs import DISKS, QEMU

LIBVIRT = (
    QEMU,
    Need("libvirtd", ("libvirt-daemon-system",), "keeps the virtual machines"),
    Need(
        "libvirt's QEMU driver",
        ("libvirt-daemon-driver-qemu",),
        "lets libvirt run virtual machines",
        file="/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so",
    ),
    Need("virsh", ("libvirt-clients",), "talks to libvirt"),
    Need("dnsmasq", ("dnsmasq-base",), "gives nodes their addresses"),
    Need(
        "vagrant-libvirt",
        ("vagrant-libvirt",),
        "lets Vagrant talk to libvirt",
        file="/usr/share/vagrant-plugins/plugins.d/vagrant-libvirt.json",
        elsewhere="This release has no 'vagrant-libvirt': use '--provider docker'.",
    ),
    *DISKS,
    *EVERY_PROVIDER,
)
