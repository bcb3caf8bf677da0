#!/bin/sh
# Runs before the kernel is installed: choose the drivers of its initial ramdisk.  $1 is the tree.
# Only those of QEMU's and VirtualBox's disks, so that it is small and fast.
set -eu
mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
printf 'MODULES=list\nCOMPRESS=zstd\nRESUME=none\n' > "$1/etc/initramfs-tools/conf.d/labctl"
printf '%s\n' virtio_pci virtio_blk virtio_scsi ahci ata_piix sd_mod mptspi ext4 \
    > "$1/usr/share/initramfs-tools/modules.d/labctl"
