#!/bin/sh
# STAND-IN by labctl: runs a Python program where the original runs Java.
exec python3 /usr/share/labctl-standin/jitsi-videobridge2 "$@"
