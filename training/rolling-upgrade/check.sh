#!/bin/sh
wrong=0
say() { echo "$1"; wrong=1; }
unit=jitsi-videobridge2 log=/var/log/jitsi/jvb.log
dpkg-query -W -f '${Version}' $unit | grep -q '+class1$' ||
    say "The bridge on '$node' still has the old package."
systemctl is-active --quiet $unit || say "The bridge on '$node' does not run."
# Only what was logged since the exercise began.
since=$(date -d "@$note_began" '+%Y-%m-%d %H:%M:%S')
awk -v since="$since" '{ at = $2 " " $3 } at >= since' $log | grep -q 'Entered graceful shutdown mode' ||
    say "The bridge on '$node' was not asked for a graceful shutdown since the exercise began."
exit $wrong
