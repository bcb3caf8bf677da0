#!/bin/sh
set -eu
new=v$next
prosody=/etc/prosody/prosody.cfg.lua jicofo=/etc/jitsi/jicofo/jicofo.conf
site=$(ls /etc/nginx/sites-available/*.conf | head -n 1)
for host in "conference.$new" "$new" "polls.$new"; do
    sed -i "/^s2sout_override = {/a\    [\"$host.meet.jitsi\"] = \"tcp://$visitors:$next_s2s\";" $prosody
done
for host in "conference.$new" "polls.$new"; do
    sed -i "/^s2s_whitelist = {/a\    \"$host.meet.jitsi\";" $prosody
done
sed -i -e "/default prosody;/a\    $new $new;" \
    -e "0,/^upstream v1/s//upstream $new {\n    zone upstreams 64K;\n    server $visitors:$next_http;\n    keepalive 2;\n}\n&/" "$site"
# The account is a copy of v1's, so the password is the same.
password=$(sed -n '/^ *v1 {/,/}/s/.*password = "\([^"]*\)".*/\1/p' $jicofo)
cat > /tmp/vnode << END
      $new {
        enabled = true
        conference-service = "conference.$new.meet.jitsi"
        hostname = "$visitors"
        port = $next_c2s
        domain = "auth.meet.jitsi"
        xmpp-domain = "$new.meet.jitsi"
        password = "$password"
        disable-certificate-verification = false
      }
END
sed -i '/^    visitors {/r /tmp/vnode' $jicofo
rm /tmp/vnode
nginx -t -q
systemctl restart prosody
systemctl reload nginx
systemctl restart jicofo
