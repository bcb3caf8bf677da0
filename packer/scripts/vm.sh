#!/bin/sh
# What a node that is a virtual machine has beyond base.sh: a kernel, a network, its identity.
# Runs as root inside the base tree of the libvirt and VirtualBox providers only.
set -eu

# An address by DHCP, under the lease of the MAC.  A seed may say otherwise (see below).  networkd, because ifupdown takes seconds that emulation multiplies.
cat > /etc/systemd/network/90-labctl.network <<'CONF'
[Match]
Type=ether

[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no

[DHCPv4]
ClientIdentifier=mac
UseDNS=no
UseNTP=no
UseHostname=no
CONF
systemctl enable systemd-networkd.service
systemctl disable systemd-networkd-wait-online.service
# As in a container: a lab has no name server, and a query to a closed port fails at once.
printf '# A lab has no name server; /etc/hosts holds its names.\nnameserver 127.0.0.1\n' \
    > /etc/resolv.conf
printf '127.0.0.1 localhost\n' > /etc/hosts
: > /etc/hostname

# The seed: a small volume that labctl makes for this machine and attaches as a CD.  It has the ssh
# keys, which a container gets from outside at the same path, and the machine's name and network.
# On a busy host it may show up after minutes, and nothing would mount it again, so no time limit:
# without its seed nobody can log in anyway.
cat > /etc/fstab <<'CONF'
LABEL=labctl-root / ext4 defaults,noatime 0 0
LABEL=LABCTL /etc/ssh/lab iso9660 ro,nofail,x-systemd.device-timeout=infinity 0 0
CONF
mkdir -p /usr/local/lib/labctl
cat > /usr/local/lib/labctl/seed <<'CONF'
#!/bin/sh
# Take this machine's name and network from its seed.
set -eu
seed=/etc/ssh/lab
if [ -s $seed/hostname ]; then
    name=$(cat $seed/hostname)
    echo "$name" > /etc/hostname
    hostname "$name"
    # Until `labctl up` has placed the lab's own file, because sudo looks up its host.
    grep -qw "$name" /etc/hosts || echo "127.0.1.1 $name" >> /etc/hosts
fi
mkdir -p /run/systemd/network
for file in $seed/*.network; do
    if [ -e "$file" ]; then install -m 0644 "$file" /run/systemd/network/; fi
done
CONF
chmod 0755 /usr/local/lib/labctl/seed
cat > /etc/systemd/system/labctl-seed.service <<'CONF'
[Unit]
Description=Name and network from the machine's seed
DefaultDependencies=no
RequiresMountsFor=/etc/ssh/lab
Before=systemd-networkd.service ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/labctl/seed

[Install]
WantedBy=multi-user.target
CONF
systemctl enable labctl-seed.service
mkdir -p /etc/systemd/system/ssh.service.d
printf '[Unit]\nAfter=etc-ssh-lab.mount labctl-seed.service\n' \
    > /etc/systemd/system/ssh.service.d/labctl.conf

# Nobody logs in at a console, and the work of a first boot is done here.  Each of these units
# takes a second under emulation.  The random seed would be the same in every machine; the kernel
# mounts the root for writing itself (packer/disk/grub.cfg), and the journal is volatile.
systemctl mask \
    getty.target getty@.service serial-getty@.service console-getty.service \
    systemd-firstboot.service systemd-hwdb-update.service systemd-update-done.service \
    systemd-journal-catalog-update.service systemd-journal-flush.service ldconfig.service \
    systemd-binfmt.service systemd-sysusers.service systemd-random-seed.service \
    systemd-remount-fs.service systemd-network-generator.service \
    systemd-udev-load-credentials.service systemd-pcrphase.service \
    systemd-pcrphase-sysinit.service systemd-pcrextend.socket systemd-creds.socket \
    systemd-sysext.socket systemd-ask-password-console.path systemd-ask-password-wall.path \
    dev-hugepages.mount dev-mqueue.mount tmp.mount run-lock.mount \
    sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount \
    sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount \
    modprobe@.service kmod-static-nodes.service
mkdir -p /etc/systemd/system-generators
for name in cryptsetup gpt-auto hibernate-resume integritysetup rc-local ssh system-update tpm2 \
    veritysetup; do
    ln -s /dev/null "/etc/systemd/system-generators/systemd-$name-generator"
done
systemctl set-default multi-user.target

# A password hash with a new salt would make every image different.
usermod --password '*' root
rm -f /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log /var/log/apt/* \
    /var/cache/ldconfig/aux-cache
