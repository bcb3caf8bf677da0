#!/bin/sh
set -eu
cp "/root/renewed/$domain.crt" "/root/renewed/$domain.key" /etc/jitsi/meet/
nginx -t -q
systemctl reload nginx
