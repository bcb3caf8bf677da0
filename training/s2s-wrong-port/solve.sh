#!/bin/sh
set -eu
sed -i '/v1\.meet\.jitsi"\] = "tcp:/s/:52961"/:52691"/' /etc/prosody/prosody.cfg.lua
systemctl restart prosody
