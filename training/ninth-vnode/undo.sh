#!/bin/sh
systemctl disable --now "prosody-v@$next" 2> /dev/null
rm -rf "/etc/prosody-v$next" "/var/lib/prosody-v$next" "/var/log/prosody-v$next" /root/v"$next".meet.jitsi.*
