#!/bin/sh
# Make a disk that boots with BIOS and with UEFI from a tree.  No installer, no loop device.
#
#   make.sh TREE.tar GRUB.cfg DISK SIZE_MIB
#
# Runs as root, or as root of a user namespace (the tree's files keep their owners).  Layout: GRUB in
# the gap behind the partition table, 31 MiB EFI system partition, the rest ext4.  The same tree
# gives the same bytes (with e2fsprogs 1.47.1 or newer) through SOURCE_DATE_EPOCH.
set -eu
tree=$1 config=$2 disk=$3 size=$4
work=$(mktemp -d "${TMPDIR:-/var/tmp}/labctl-disk.XXXXXX")
trap 'rm -rf "$work"' EXIT

esp_start=2048 root_start=65536
root_kib=$((size * 1024 - root_start / 2))
uuid=5c2f9a1e-6b1d-4c52-9d1e-3b6f0a7d9e10

mkdir "$work/tree"
# Only root of the machine itself may make devices; they are not needed, as the kernel fills /dev.
tar --extract --file "$tree" --directory "$work/tree" --numeric-owner --same-permissions \
    --exclude './dev/*'
mkdir -p "$work/tree/boot/grub"
cp "$config" "$work/tree/boot/grub/grub.cfg"
touch --no-dereference --date "@$SOURCE_DATE_EPOCH" "$work/tree/boot/grub/grub.cfg" \
    "$work/tree/boot/grub" "$work/tree/boot"

rm -f "$disk"
truncate --size "${size}M" "$disk"
sfdisk --quiet --no-tell-kernel "$disk" <<TABLE
label: dos
label-id: 0x6c616263
start=$esp_start, size=$((root_start - esp_start)), type=ef
start=$root_start, type=83, bootable
TABLE
mke2fs -q -t ext4 -L labctl-root -U "$uuid" -d "$work/tree" -J size=32 \
    -E "offset=$((root_start * 512)),hash_seed=$uuid,lazy_itable_init=1,lazy_journal_init=1" \
    "$disk" "${root_kib}k"

# The first stage finds the second at sector 1, and that one its configuration in the ext4.
printf 'search --no-floppy --label labctl-root --set=root\nconfigfile /boot/grub/grub.cfg\n' \
    > "$work/early.cfg"
modules='part_msdos fat ext2 normal configfile search search_label linux boot test echo'
# shellcheck disable=SC2086 # The modules are words.
grub-mkimage -O i386-pc -c "$work/early.cfg" -p /boot/grub -o "$work/core.img" \
    biosdisk $modules
# shellcheck disable=SC2086
grub-mkimage -O x86_64-efi -c "$work/early.cfg" -p /boot/grub -o "$work/bootx64.efi" $modules
[ "$(stat --format %s "$work/core.img")" -lt $(((esp_start - 1) * 512)) ]
dd if=/usr/lib/grub/i386-pc/boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
dd if="$work/core.img" of="$disk" bs=512 seek=1 conv=notrunc status=none

truncate --size $(((root_start - esp_start) * 512)) "$work/esp"
mkfs.vfat -F 16 -n LABCTL-ESP -i 6c616263 --invariant "$work/esp" > /dev/null
touch --date "@$SOURCE_DATE_EPOCH" "$work/bootx64.efi"
mmd -i "$work/esp" ::/EFI ::/EFI/BOOT
mcopy -m -i "$work/esp" "$work/bootx64.efi" ::/EFI/BOOT/BOOTX64.EFI
dd if="$work/esp" of="$disk" bs=1M seek=$((esp_start / 2048)) conv=notrunc,sparse status=none
