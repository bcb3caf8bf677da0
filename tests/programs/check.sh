#!/bin/sh
# Runs inside an image of role jms: gives the configuration below /nodes/<node>/ to the programs
# that it is for.  Prints '=== PROGRAM STATUS NODE WHAT' and the program's output for each check.
check() {
    program=$1 what=$2
    shift 2
    said=$("$@" 2>&1)
    printf '=== %s %s %s %s\n%s\n' "$program" $? "$node" "$what" "$said"
}

for tree in /nodes/*; do
    node=${tree#/nodes/}
    rm -rf /etc/prosody-v* /etc/nginx/sites-enabled/* /etc/systemd/system/prosody*
    cp -a "$tree/." /
    find "$tree" -name '*.lua' -o -name '*.dat' | while read -r file; do
        check luac "${file#"$tree"}" luac5.4 -p "${file#"$tree"}"
    done
    # The server, and of the vnodes the first and the last: prosodyctl takes its time.
    for config in $(ls -v "$tree"/etc/prosody*/prosody.cfg.lua 2>/dev/null | sed -n '1,2p;$p' | uniq); do
        file=${config#"$tree"}
        # As the user prosody, so that files that it may not read are found, too.
        check prosodyctl "$file" prosodyctl --config "$file" check config
    done
    for unit in "$tree"/etc/systemd/system/*; do
        [ -e "$unit" ] || continue
        name=$(basename "${unit%.d}" | sed 's/@\.service/@1.service/')
        # This image has Debian's packages and none of Jitsi's: nothing to add to.
        case $name in jicofo.service | jitsi-videobridge2.service) continue ;; esac
        check systemd-analyze "$name" systemd-analyze --man=no verify "$name"
    done
    for key in jicofo/jicofo.conf:jicofo videobridge/jvb.conf:videobridge \
        videobridge/jvb.conf:ice4j; do
        file=/etc/jitsi/${key%:*}
        [ -e "$tree$file" ] || continue
        check hocon "$file:${key#*:}" hocon -j -f "$file" get "${key#*:}"
    done
    [ ! -e "$tree/etc/nftables.conf" ] || check nft /etc/nftables.conf nft -c -f /etc/nftables.conf
    [ ! -d "$tree/etc/nginx" ] || check nginx /etc/nginx nginx -t
done
