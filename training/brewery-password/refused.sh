#!/bin/sh
# The bridge is restarted, and this ends when Prosody has refused it.
set -eu
log=/var/log/jitsi/jvb.log
seen=$(wc -l < $log)
systemctl restart jitsi-videobridge2
end=$(($(date +%s) + 60))
until tail -n "+$((seen + 1))" $log | grep -Eq 'not-authorized|SASLError|authentication failed'; do
    [ "$(date +%s)" -lt $end ] || { echo "The bridge was not refused within a minute."; exit 1; }
    sleep 0.1
done
