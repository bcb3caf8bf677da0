#!/bin/sh
set -eu
sed -i '/^s2s_whitelist = {/,/^}/{/"conference\.v1\.meet\.jitsi";/d}' /etc/prosody/prosody.cfg.lua
systemctl restart prosody
