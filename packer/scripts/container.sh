#!/bin/sh
# Turn off what a node without its own kernel cannot do: hardware, consoles, mounts, login seats.
# Runs as root inside the base tree of the Docker provider only.
set -eu

systemctl mask \
    console-getty.service getty.target getty@.service serial-getty@.service \
    systemd-logind.service systemd-remount-fs.service systemd-modules-load.service \
    systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
    systemd-udev-trigger.service systemd-udev-settle.service \
    systemd-firstboot.service systemd-hwdb-update.service systemd-random-seed.service \
    systemd-pcrextend.socket systemd-creds.socket systemd-sysext.socket \
    systemd-journal-catalog-update.service systemd-update-done.service ldconfig.service \
    systemd-ask-password-console.path systemd-ask-password-wall.path systemd-initctl.socket \
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount \
    sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount \
    tmp.mount swap.target modprobe@.service
systemctl set-default multi-user.target

# Generators are programs that systemd runs at each start, and whenever it reads its units again.  All
# but that of init scripts look for what a container does not have: disks, consoles, a TPM, a debugger.
mkdir -p /etc/systemd/system-generators
for generator in /usr/lib/systemd/system-generators/systemd-*; do
    name=${generator##*/}
    [ "$name" = systemd-sysv-generator ] || ln -s /dev/null "/etc/systemd/system-generators/$name"
done
