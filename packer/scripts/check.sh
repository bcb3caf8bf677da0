#!/bin/sh
# Check the image; it counts only if nothing is wrong.  Runs as root, last.
# Writes $LABCTL_INPUT/installed: name, tab, version of every package.
set -eu
input=$LABCTL_INPUT
bad=0
wrong() {
    echo "check: $*"
    bad=1
}

while read -r package; do
    name=${package%%=*}
    status=$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null || echo missing)
    [ "$status" = installed ] || wrong "package '$name' is $status"
done < "$input/packages"
dpkg --audit | grep . && wrong 'dpkg finds half-installed packages'

if prosody=$(dpkg-query -W -f '${Version}' prosody 2>/dev/null); then
    dpkg --compare-versions "$prosody" ge "$LABCTL_PROSODY" ||
        wrong "prosody is $prosody, need at least $LABCTL_PROSODY"
    lua5.4 -e 'require "inspect"; require "basexx"' || wrong 'Lua 5.4 lacks inspect or basexx'
fi

diverted=$(dpkg-divert --list '*py*compile*' | grep '^local' || true)
[ -z "$diverted" ] || wrong "diversions of the bake were left: $diverted"

while read -r unit; do
    state=$(systemctl is-enabled "$unit" 2>/dev/null || true)
    case $state in enabled*) wrong "unit '$unit' is enabled" ;; esac
done < "$input/units"

places='/etc /var /home /root /usr/local /opt /srv'
# What a virtual machine's seed shows there is not in the image.
keys=$(grep -rlIs --exclude-dir=labctl-bake -e '-----BEGIN .*PRIVATE KEY-----' $places |
    grep -v '^/etc/ssh/lab/' || true)
[ -z "$keys" ] || wrong "private keys in the image: $keys"

listed=$(grep -c '^[^#!]' /etc/ca-certificates.conf)
bundled=$(grep -c 'BEGIN CERTIFICATE' /etc/ssl/certs/ca-certificates.crt)
[ "$bundled" -le "$listed" ] || wrong "$bundled authorities are trusted, but $listed are Debian's"
orphans=$(find -L /etc/ssl/certs -type l)
[ -z "$orphans" ] || wrong "links to certificates that are gone: $orphans"

if [ -s "$input/secrets" ]; then
    found=$(grep -rlsFf "$input/secrets" $places || true)
    [ -z "$found" ] || wrong "passwords of the packages' set-up in: $found"
fi
[ ! -s /etc/machine-id ] || wrong '/etc/machine-id is not empty'
[ -z "$(find /var/lib/prosody /var/lib/apt/lists -type f 2>/dev/null)" ] ||
    wrong 'accounts or package lists were left'

dpkg-query -W -f '${Package}\t${Version}\n' > "$input/installed"
exit $bad
