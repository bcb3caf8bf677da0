#!/bin/sh
# Before the kernel is installed: which drivers its initial ramdisk holds.  $1 is the tree.
# Those of QEMU's and VirtualBox's disks and nothing else, so that it is small and quick.
set -eu
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
printf 'MODULES=list\nCOMPRESS=zstd\nRESUME=none\n' > "$1/etc/initramfs-tools/conf.d/labctl"
printf '%s\n' virtio_pci virtio_blk virtio_scsi ahci ata_piix sd_mod mptspi ext4 \
    > "$1/usr/share/initramfs-tools/modules.d/labctl"
