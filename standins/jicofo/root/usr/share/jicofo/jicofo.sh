#!/bin/sh
# STAND-IN by labctl: runs a Python program where the original runs Java.
if [ ! -f /etc/jitsi/jicofo/jicofo.conf ] && ! echo "$JAVA_SYS_PROPS" | grep -q -- '-Dconfig.file='; then
    echo "No configuration file." >&2
    exit 2
fi
exec python3 /usr/share/labctl-standin/jicofo "$@"
