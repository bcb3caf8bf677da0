#!/bin/sh
wrong=0
say() { echo "$1"; wrong=1; }
unit=prosody-v@$next
systemctl is-active --quiet "$unit" || say "The unit '$unit' does not run on '$node'."
systemctl is-enabled --quiet "$unit" 2> /dev/null ||
    say "The unit '$unit' would not start when '$node' boots."
for port in "$next_c2s" "$next_s2s" "$next_http"; do
    ss -ltnH "sport = :$port" | grep -q . || say "Nothing listens on port $port on '$node'."
    nft list ruleset | grep -Eq "dport .*\b$port\b" ||
        say "The firewall of '$node' does not let anybody in on port $port."
done
[ -d "/var/lib/prosody-v$next" ] ||
    say "There is no folder '/var/lib/prosody-v$next': all vnodes would share one account store."
exit $wrong
