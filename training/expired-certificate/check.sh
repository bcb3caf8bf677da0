#!/bin/sh
# What nginx shows, not what lies on the disk.
shown=$(openssl s_client -connect "$jms:443" -servername "$domain" < /dev/null 2> /dev/null |
    openssl x509 -noout -enddate 2> /dev/null)
ends=$(date -d "${shown#notAfter=}" +%s 2> /dev/null || echo 0)
if [ -z "$shown" ]; then
    echo "Nobody answers with a certificate on port 443 of the JMS."
    exit 1
fi
if [ "$ends" -lt "$(date +%s)" ]; then
    echo "The certificate that nginx shows on the JMS expired on ${shown#notAfter=}."
    on_disk=$(openssl x509 -in "/etc/jitsi/meet/$domain.crt" -noout -enddate 2> /dev/null)
    [ "$on_disk" = "$shown" ] || echo "Another certificate is in /etc/jitsi/meet/, which nginx has not read."
    exit 1
fi
