#!/bin/sh
if ! grep -Eq '^[^#]*udp dport .*\b10000\b.*accept' /etc/nftables.conf; then
    echo "/etc/nftables.conf on '$node' does not let media in: a reboot would close 10000/udp."
    exit 1
fi
grep -q 'policy drop' /etc/nftables.conf || {
    echo "The firewall of '$node' lets everybody in everywhere; open only what is needed."
    exit 1
}
