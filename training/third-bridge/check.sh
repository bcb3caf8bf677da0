#!/bin/sh
# Exit status 1 if anything is wrong; a sentence for each thing.
wrong=0
say() { echo "$1"; wrong=1; }
nick=$(sed -n 's/.*MUC_NICKNAME *= *"\{0,1\}\([^" ]*\).*/\1/p' /etc/jitsi/videobridge/jvb.conf | tail -n 1)
systemctl is-active --quiet jitsi-videobridge2 || say "The bridge on 'jvb2' does not run."
systemctl is-enabled --quiet jitsi-videobridge2 2> /dev/null ||
    say "The bridge on 'jvb2' would not start when the machine boots."
for other in $bridges; do
    [ "$other" = jvb2 ] || [ "$nick" != "$other" ] ||
        say "MUC_NICKNAME on 'jvb2' is '$nick': another bridge has that nick in the brewery."
done
[ "$nick" = jvb2 ] || say "Call the bridge 'jvb2' in the brewery; MUC_NICKNAME is '$nick'."
exit $wrong
