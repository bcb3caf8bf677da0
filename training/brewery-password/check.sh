#!/bin/sh
# The bridge may only come in by its own account, with a password.
password=$(sed -n 's/.*PASSWORD *= *"\{0,1\}\([^" ]*\).*/\1/p' /etc/jitsi/videobridge/jvb.conf | tail -n 1)
if [ "${#password}" -lt 8 ]; then
    echo "The password of account 'jvb' in jvb.conf on the JMS is shorter than 8 characters."
    exit 1
fi
