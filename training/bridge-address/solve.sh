#!/bin/sh
set -eu
sed -i -e '/advertise-private-candidates/d' -e '/static-mappings = \[/,/\]/d' /etc/jitsi/videobridge/jvb.conf
systemctl restart jitsi-videobridge2
