#!/bin/sh
# The account gets the password that the bridges have.
set -eu
old=$(sed -n 's/.*PASSWORD *= *"\([^"]*\)".*/\1/p' /etc/jitsi/videobridge/jvb.conf)
printf '%s\n%s\n' "$old" "$old" | prosodyctl passwd "jvb@auth.$domain" > /dev/null 2>&1
systemctl restart jitsi-videobridge2
