#!/bin/sh
# A copy of v1, with the number and the ports changed.
set -eu
new=v$next
sed -e "s/\bv1\b/$new/g" -e "s/prosody-v1/prosody-$new/g" \
    -e "s/52221/$next_c2s/; s/52691/$next_s2s/; s/52801/$next_http/" \
    /etc/prosody-v1/prosody.cfg.lua > /tmp/prosody.cfg.lua
install -d -m 755 "/etc/prosody-$new" "/etc/prosody-$new/certs"
install -m 640 -g prosody /tmp/prosody.cfg.lua "/etc/prosody-$new/prosody.cfg.lua"
install -m 640 -g prosody "/root/$new.meet.jitsi.key" "/etc/prosody-$new/certs/$new.meet.jitsi.key"
install -m 644 "/root/$new.meet.jitsi.crt" "/etc/prosody-$new/certs/$new.meet.jitsi.crt"
rm /tmp/prosody.cfg.lua
cp -a /var/lib/prosody-v1 "/var/lib/prosody-$new"
for port in "$next_c2s" "$next_s2s" "$next_http"; do
    sed -i "/dport 22 accept/a\        tcp dport $port ip saddr { $jms } accept" /etc/nftables.conf
done
nft -f /etc/nftables.conf
systemctl enable --now "prosody-v@$next" 2> /dev/null
