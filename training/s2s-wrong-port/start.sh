#!/bin/sh
set -eu
sed -i '/v1\.meet\.jitsi"\] = "tcp:/s/:52691"/:52961"/' /etc/prosody/prosody.cfg.lua
systemctl restart prosody
