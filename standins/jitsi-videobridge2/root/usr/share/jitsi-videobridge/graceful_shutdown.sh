#!/bin/bash
# Ask the bridge for a graceful shutdown and wait until it is gone: -h URL of the private server
# (needs videobridge.apis.rest.enabled and videobridge.rest.shutdown.enabled), -p PID, -s silent.
set -u
url=http://localhost:8080
pid=
silent=
while getopts "h:p:t:s" option; do
    case $option in
    h) url=$OPTARG ;;
    p) pid=$OPTARG ;;
    s) silent=yes ;;
    *) ;;
    esac
done
say() { [ -n "$silent" ] || echo "$1"; }

[ -n "$pid" ] || pid=$(cat /var/run/jitsi-videobridge/jitsi-videobridge.pid 2> /dev/null)
status=$(curl -s -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' \
    -d '{"graceful-shutdown": true}' "$url/colibri/shutdown")
if [ "$status" != 200 ]; then
    say "Invalid HTTP status for the shutdown request: $status"
    exit 1
fi
say "Graceful shutdown started"
while kill -0 "$pid" 2> /dev/null; do
    say "There are still $(curl -s "$url/colibri/stats" | jq .participants) participants"
    sleep 5
done
say "Bridge shutdown completed"
