#!/bin/sh
# What every node has, whatever runs it: the lab's user, ssh, a journal.
# Runs as root inside the fresh tree, before any role is installed.
set -eu

useradd --create-home --shell /bin/bash vagrant
# '*' means no password; with '!', sshd would refuse the account if PAM is off.
usermod --password '*' vagrant
touch /home/vagrant/.hushlogin
printf 'vagrant ALL=(ALL:ALL) NOPASSWD: ALL\n' > /etc/sudoers.d/vagrant
chmod 0440 /etc/sudoers.d/vagrant

# `labctl up` provides the keys from outside, read-only; their owner is not root in here.
cat > /etc/ssh/sshd_config.d/labctl.conf <<'CONF'
HostKey /etc/ssh/lab/host_ed25519
AuthorizedKeysFile /etc/ssh/lab/authorized_keys
StrictModes no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
X11Forwarding no
MaxSessions 100
MaxStartups 100
# What ssh-audit fails; taken away from the release's own lists, so that newer ones are kept.  One
# stays: plain Vagrant, by which a bundle's lab comes up, waits for nodes with Ruby's net-ssh, and that
# knows no other key exchange of today's sshd.
KexAlgorithms -ecdh-sha2-nistp384,ecdh-sha2-nistp521
MACs -hmac-sha1*,umac-64*
CONF
mkdir -p /etc/ssh/lab
rm -f /etc/ssh/ssh_host_*
# It would make its own keys at the first boot, slowly.
systemctl mask sshd-keygen.service
chmod -x /etc/update-motd.d/* 2>/dev/null || true
: > /etc/motd

# Services keep their own log files; the journal is for units and must not drop a burst.
mkdir -p /etc/systemd/journald.conf.d
cat > /etc/systemd/journald.conf.d/labctl.conf <<'CONF'
[Journal]
Storage=volatile
RuntimeMaxUse=32M
RateLimitIntervalSec=0
CONF

# A lab must not change while it is used, and nothing may disturb its measurements.
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    e2scrub_all.timer fstrim.timer
systemctl disable nftables.service

# `labctl up` renders it, and removes and replaces it as one folder.
mkdir -p /var/lib/labctl

# What `update-ca-certificates` does for one more authority.  That program starts hundreds of others to
# link all authorities again, and each node of a lab would do so at its first boot.
cat > /usr/local/sbin/labctl-trust <<'SCRIPT'
#!/bin/sh
# labctl-trust FILE: trust an authority below /usr/local/share/ca-certificates.
set -eu
file=$1 certs=/etc/ssl/certs
link=$certs/$(basename "$file" .crt).pem
name=$certs/$(openssl x509 -noout -subject_hash -in "$file").0
# Changed, interrupted before, or not the only one of its name: all of it again.
if [ -e "$link" ] || [ -L "$link" ] || [ -e "$name" ] || [ -L "$name" ]; then
    exec update-ca-certificates --fresh
fi
ln -s "$file" "$link"
ln -s "$(basename "$link")" "$name"
cat "$file" >> $certs/ca-certificates.crt
# Java's store, where there is Java.
run-parts --test /etc/ca-certificates/update.d | while read -r hook; do
    printf '+%s\n' "$link" | "$hook"
done
SCRIPT
chmod 0755 /usr/local/sbin/labctl-trust

# A lab needs no translated messages, which are an eighth of an image.
echo 'path-exclude=/usr/share/locale/*' > /etc/dpkg/dpkg.cfg.d/labctl
find /usr/share/locale -mindepth 1 -delete

# An empty file (not a missing one, which means "first boot, apply presets").
: > /etc/machine-id
rm -f /etc/resolv.conf /etc/hostname /etc/apt/apt.conf.d/99mmdebstrap \
    /etc/dpkg/dpkg.cfg.d/99mmdebstrap /etc/apt/sources.list
rm -rf /etc/apt/sources.list.d/0000*
