#!/bin/sh
# Prints a sentence for each thing that is wrong, and ends with 1 if there is any.
if ! systemctl is-active --quiet jitsi-videobridge2; then
    echo "The bridge on '$node' does not run."
    exit 1
fi
