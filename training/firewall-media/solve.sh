#!/bin/sh
set -eu
sed -i '/dport 22 accept/a\        udp dport 10000 accept' /etc/nftables.conf
systemctl reload nftables
