#!/bin/sh
if ! systemctl is-active --quiet jitsi-videobridge2; then
    echo "The bridge on '$node' does not run."
    exit 1
fi
if ! curl -s -o /dev/null -m 3 http://127.0.0.1:8080/about/health; then
    echo "The bridge on '$node' runs, says systemd, and does not answer on its own health endpoint."
    exit 1
fi
