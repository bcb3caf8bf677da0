#!/bin/sh
set -eu
sed -i 's/max-participants = .*/max-participants = 5/' /etc/jitsi/jicofo/jicofo.conf
systemctl restart jicofo
