#!/bin/sh
set -eu
sed -i '/^s2s_whitelist = {/a\    "conference.v1.meet.jitsi";' /etc/prosody/prosody.cfg.lua
systemctl restart prosody
