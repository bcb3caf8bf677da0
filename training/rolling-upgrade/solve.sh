#!/bin/sh
set -eu
unit=jitsi-videobridge2
ask() {
    curl -sf -m 5 -H 'Content-Type: application/json' -d '{"graceful-shutdown": true}' \
        http://127.0.0.1:8080/colibri/shutdown
}
end=$(($(date +%s) + 60))
until ask; do [ "$(date +%s)" -lt $end ]; sleep 0.2; done
while systemctl is-active --quiet $unit; do [ "$(date +%s)" -lt $end ]; sleep 0.2; done
DEBIAN_FRONTEND=noninteractive dpkg -i --force-confold /root/upgrade/*.deb > /dev/null 2>&1
systemctl reset-failed $unit 2> /dev/null || true
systemctl start $unit
