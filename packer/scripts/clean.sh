#!/bin/sh
# Remove everything that belongs to one machine or one lab from the image.
# Runs as root, after keep.sh.  $LABCTL_HOST is the placeholder that the packages were given.
set -eu
export DEBIAN_FRONTEND=noninteractive
host=$LABCTL_HOST

# Some maintainer scripts start their service in a way that policy-rc.d does not prevent.
for unit in $(cat "$LABCTL_INPUT/units"); do
    if [ -d /run/systemd/system ]; then systemctl stop "$unit" 2>/dev/null || true; fi
    if systemctl cat "$unit.service" >/dev/null 2>&1 || [ -e "/etc/init.d/$unit" ]; then
        SYSTEMD_OFFLINE=1 systemctl disable "$unit" 2>&1
    fi
done
for user in prosody jicofo jvb turnserver; do
    if id "$user" >/dev/null 2>&1; then pkill -u "$user" || true; fi
done
pkill -x nginx || true

# Accounts, certificates and keys that the packages generated.
find /var/lib/prosody /etc/prosody/certs /etc/prosody/conf.d -mindepth 1 -delete 2>/dev/null || true
rm -f /etc/prosody/conf.avail/"$host".cfg.lua /etc/prosody/conf.avail/jaas.cfg.lua
rm -f /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem
rm -f /etc/jitsi/meet/"$host"* /etc/jitsi/jicofo/jicofo.conf /etc/jitsi/videobridge/jvb.conf
# Old packages write these, and Java prefers them to the .conf that `labctl up` renders.
rm -f /etc/jitsi/jicofo/sip-communicator.properties \
    /etc/jitsi/videobridge/sip-communicator.properties
rm -f /etc/nginx/sites-available/"$host".conf
find /etc/nginx/sites-enabled -mindepth 1 -delete 2>/dev/null || true
# Authorities that the packages have made themselves.  `update-ca-certificates --fresh` would link all
# others again, which takes minutes under emulation, and leave these in Java's store.
local_authorities=/usr/local/share/ca-certificates
find $local_authorities -name '*.crt' -exec basename {} .crt \; |
    sed 's#.*#-/etc/ssl/certs/&.pem#' > "$LABCTL_INPUT/authorities"
find $local_authorities -mindepth 1 -delete
# Broken links: those of the certificates, then those named by their hashes.
find -L /etc/ssl/certs -type l -delete
find -L /etc/ssl/certs -type l -delete
if [ -s "$LABCTL_INPUT/authorities" ]; then
    sed '/^$/d; /^[#!]/d; s#^#/usr/share/ca-certificates/#' /etc/ca-certificates.conf |
        xargs sh -c 'for crt; do [ ! -e "$crt" ] || echo "$crt"; done' sh |
        xargs sed -s '$a\' > /etc/ssl/certs/ca-certificates.crt
    run-parts --test /etc/ca-certificates/update.d | while read -r hook; do
        "$hook" < "$LABCTL_INPUT/authorities" || echo "'$hook' failed, which is told only"
    done
fi

# Debconf keeps the answers: save the passwords for check.sh, then reset each one.
answers=/var/cache/debconf/passwords.dat
if [ -e "$answers" ]; then
    sed -n 's/^Value: //p' "$answers" | grep -E '.{6,}' > "$LABCTL_INPUT/secrets" || true
    sed -n 's/^Name: /RESET /p' "$answers" | debconf-communicate labctl > /dev/null
fi
rm -f /var/cache/debconf/*-old /var/lib/dpkg/*-old

# Identity of the machine.  An empty machine-id, not a missing one: see base.sh.
rm -f /etc/ssh/ssh_host_* /var/lib/systemd/random-seed
: > /etc/machine-id
ln -sfn /etc/machine-id /var/lib/dbus/machine-id
# Accounts and files of packages exist, so the first boot has nothing to update.
touch /etc/.updated /var/.updated

if [ -e /etc/resolv.conf.labctl-bake ]; then
    # A virtual machine; in a container name server and host name come from outside.
    mv /etc/resolv.conf.labctl-bake /etc/resolv.conf
    : > /etc/hostname
    echo '127.0.0.1 localhost' > /etc/hosts
fi

# What only the bake needed.  The mirror stays, for `apt install` on a node, without its password.
rm -f /usr/sbin/policy-rc.d /etc/dpkg/dpkg.cfg.d/labctl-bake /etc/apt/apt.conf.d/99labctl-bake \
    /etc/apt/sources.list.d/labctl-bake.sources /etc/apt/preferences.d/labctl-bake
sed -i -E 's#://[^/@]+@#://#' /etc/apt/sources.list.d/debian.sources
apt-get clean
rm -rf /var/lib/apt/lists/*
find /var/log -type f -exec truncate --size=0 {} +
