#!/bin/sh
set -eu
sed -i '/udp dport 10000/d' /etc/nftables.conf
systemctl reload nftables
