#!/bin/sh
# Keep what the packages' own scripts generated as configuration, with secrets blanked out:
# `labctl drift` compares it with what labctl renders.  Runs as root, after install.sh.
set -eu
kept=/var/lib/labctl/packaged

rm -rf "$kept"
mkdir -p "$kept"
for source in /etc/prosody/conf.avail /etc/prosody/prosody.cfg.lua /etc/jitsi \
    /etc/nginx/sites-available /etc/turnserver.conf; do
    if [ -e "$source" ]; then
        mkdir -p "$kept$(dirname "$source")"
        cp -R "$source" "$kept$source"
    fi
done
find "$kept" -type f \( -name '*.key' -o -name '*.crt' -o -name '*.pem' -o -name '*.cnf' \) -delete

# A key that ends in "password" or "secret", then = or :, then its value.
cat > /tmp/labctl-blank.sed <<'SED'
s/((password|secret)"?[[:space:]]*[=:][[:space:]]*["']?)[^"',;{}[:space:]]+/\1(blanked)/Ig
SED
find "$kept" -type f -exec sed -i -E -f /tmp/labctl-blank.sed {} +
rm -f /tmp/labctl-blank.sed
chmod -R u=rwX,go=rX "$kept"
